"""The order in which work without threads is done, and that of threads."""

import pytest

from napari_simpleclick.plugin import workers
from napari_simpleclick.workflow import InlineExecutor


def broken():
    raise OSError("no")


def test_inline_work_is_done_at_once():
    seen = []
    executor = InlineExecutor()
    executor.start(lambda: 3, seen.append)
    executor.start(broken, seen.append, lambda error: seen.append(str(error)))
    assert seen == [3, "no"]


def test_what_a_callback_asks_for_is_done_after_it():
    seen, executor = [], InlineExecutor()

    def done(_):
        executor.start(lambda: "second", seen.append)
        seen.append("first")

    executor.start(lambda: None, done)
    assert seen == ["first", "second"]


def test_steps_are_told_one_by_one_and_others_come_between():
    seen, executor = [], InlineExecutor()

    def steps():
        for number in range(3):
            seen.append(number)
            yield

    def each():
        executor.call_soon(lambda: seen.append("between"))

    executor.go_through(steps(), each, lambda: seen.append("end"), seen.append, "", 3)
    assert seen == [0, "between", 1, "between", 2, "between", "end"]


def test_a_step_that_fails_ends_it():
    seen, executor = [], InlineExecutor()

    def steps():
        yield
        raise OSError("no")

    executor.go_through(
        steps(),
        lambda: seen.append(1),
        lambda: seen.append("end"),
        lambda error: seen.append(str(error)),
        "",
        2,
    )
    assert seen == [1, "no"]


def test_a_callback_that_raises_does_not_block_the_next():
    seen, executor = [], InlineExecutor()
    with pytest.raises(ZeroDivisionError):
        executor.start(lambda: 0, lambda zero: 1 / zero)
    executor.start(lambda: 3, seen.append)
    assert seen == [3]


@pytest.mark.parametrize(
    ("value", "kind"),
    [("1", InlineExecutor), ("0", workers.ThreadedExecutor)],
)
def test_the_environment_chooses(monkeypatch, qapp, value, kind):
    monkeypatch.setenv(workers.SYNCHRONOUS, value)
    assert isinstance(workers.make_executor(), kind)


@pytest.fixture
def threads(qapp):
    return workers.ThreadedExecutor()


def test_threads_tell_on_the_main_one(threads, qtbot):
    import threading

    main, seen = threading.current_thread(), []

    def work():
        threads.call_soon(lambda: seen.append(threading.current_thread() is main))
        return threading.current_thread() is main

    threads.start(work, seen.append)
    qtbot.waitUntil(lambda: len(seen) == 2)
    assert sorted(seen) == [False, True]


def test_threads_tell_steps_and_errors(threads, qtbot):
    seen = []

    def steps():
        yield
        yield
        raise OSError("no")

    threads.go_through(
        steps(),
        lambda: seen.append(1),
        lambda: seen.append("end"),
        lambda error: seen.append(str(error)),
        "Steps",
        2,
    )
    qtbot.waitUntil(lambda: "no" in seen)
    assert seen == [1, 1, "no"]
