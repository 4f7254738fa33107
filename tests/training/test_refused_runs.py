"""What a run's file can get wrong ends in a sentence, before anything is trained."""

import numpy as np
import pytest

from napari_simpleclick import write_labels
from napari_simpleclick.errors import UserError
from napari_simpleclick.training import TrainConfig, read_config, train

STAGE = {"size": 64, "batch": 1, "steps": 1, "rate": 1e-4}
RUN = {"network": "simpleclick-xtiny", "accelerator": "cpu", "workers": 0}


@pytest.fixture
def data(tmp_path):
    for kind in ("images", "masks"):
        (tmp_path / "A" / kind).mkdir(parents=True)
        write_labels(tmp_path / "A" / kind / "1.png", np.eye(80, dtype=np.uint8))
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"stages": [{**STAGE, "size": 50}]}, "use a multiple of 16 px"),
        ({"stages": [{**STAGE, "size": 688}]}, "choose a multiple of 48 px"),
        ({"changes": {"wobble": 3}}, "changes: .*wobble"),
        ({"changes": {"levels": "wobble"}}, "no pyramid 'wobble'"),
        ({"changes": {"width": "wobble"}}, "changes: .*wobble"),
        ({"accelerator": "wobble"}, "accelerator 'wobble'"),
        ({"network": "wobble"}, "There is no network 'wobble'"),
        ({"start": "mae:none.pth"}, "There is no file 'none.pth'"),
        (
            {"network": "mst-224", "mirrored": 0.5},
            "mirrored: mst-224 cannot learn from mirror images",
        ),
    ],
)
def test_run_is_refused(data, tmp_path, changed, sentence):
    config = TrainConfig(**{**RUN, "stages": [STAGE], **changed})
    with pytest.raises(UserError, match=sentence):
        train(config, data, tmp_path / "out")
    assert not (tmp_path / "out" / "checkpoint.pt").exists()


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "run.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        read_config(tmp_path / "run.toml")
