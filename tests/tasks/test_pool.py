"""Who does tasks, and what happens when they die."""

import gc
import os
import sys

import pytest

from napari_simpleclick.errors import UserError
from napari_simpleclick.tasks.pool import LostWorkersError, TaskPool, open_pool
from tests.clusters import cluster, end_process, interrupt_itself, refuse

KEPT = "All that was done is kept."

needs_signals = pytest.mark.skipif(
    sys.platform == "win32", reason="processes are killed by a signal"
)


def test_an_error_of_one_does_not_stop_the_others():
    found = list(TaskPool().finished((refuse, number) for number in range(5)))
    assert [one.task[1] for one in found] == [0, 1, 2, 3, 4]
    assert [one.value for one in found] == [0, None, 2, None, 4]
    with pytest.raises(ValueError, match="3 is odd"):
        found[3].result()
    assert found[4].result() == 4


@needs_signals
def test_a_process_that_is_killed_is_a_sentence(tmp_path):
    with (
        pytest.raises(LostWorkersError, match=f"fewer with --jobs. {KEPT}"),
        open_pool(2, kept=KEPT) as pool,
    ):
        for _ in pool.finished([(end_process, tmp_path / str(n)) for n in range(3)]):
            pass


@needs_signals
def test_a_worker_that_dies_is_done_without(tmp_path):
    pytest.importorskip("distributed")
    with cluster(2, tmp_path) as two, open_pool(scheduler=two.address) as pool:
        assert pool.workers == 2
        tasks = [(end_process, tmp_path / "once"), *((refuse, n) for n in range(20))]
        found = {one.task[1]: one for one in pool.finished(tasks)}
        assert len(found) == 21
        assert found[tmp_path / "once"].value in [one.pid for one in two.processes]
        assert [found[n].value for n in range(0, 20, 2)] == list(range(0, 20, 2))
        assert {type(found[n].error) for n in range(1, 20, 2)} == {ValueError}


@needs_signals
def test_a_scheduler_that_dies_is_one_sentence(tmp_path, caplog):
    pytest.importorskip("distributed")
    with cluster(1, tmp_path) as one:
        done = []
        with (
            pytest.raises(UserError) as caught,
            open_pool(scheduler=one.address, kept=KEPT) as pool,
        ):
            for outcome in pool.finished([(os.getpid,)] * 100):
                done.append(outcome.result())
                if len(done) == 1:
                    one.kill(0)
    assert 1 <= len(done) < 100
    told = f"scheduler at '{one.address}' does not answer any more. {KEPT}"
    assert told in str(caught.value)
    assert caplog.text == ""


@needs_signals
def test_ctrl_c_is_left_to_the_one_who_waits(caplog):
    with pytest.raises(KeyboardInterrupt), open_pool(2, kept=KEPT) as pool:
        for _ in pool.finished([(interrupt_itself,)] * 2):
            raise KeyboardInterrupt
    assert caplog.messages == [f"Interrupted. {KEPT}"]


def test_an_address_that_nobody_is_at_is_one_sentence(monkeypatch):
    pytest.importorskip("distributed")
    odd = []
    monkeypatch.setattr(sys, "unraisablehook", odd.append)
    with (
        pytest.raises(UserError, match="No Dask scheduler answers at 'nonsense'"),
        open_pool(scheduler="nonsense"),
    ):
        pass
    gc.collect()
    assert odd == []
