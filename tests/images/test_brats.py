"""BraTS cases."""

import nibabel
import numpy as np
import pytest

from napari_simpleclick.images.files import write_labels
from napari_simpleclick.images.formats import brats
from napari_simpleclick.images.viewer_images import is_image_folder, open_layers

SHAPE = (4, 5, 6)
AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0])


def case(folder, *names, shape=SHAPE, kind=np.int16):
    for value, name in enumerate(names):
        image = nibabel.Nifti1Image(np.full(shape, value, kind), AFFINE)
        nibabel.save(image, folder / f"{name}.nii.gz")


@pytest.mark.parametrize(
    "names",
    [
        "B20_1_t2 B20_1_t1ce B20_1_flair B20_1_t1 B20_1_seg",
        "GLI-0-0-t2w GLI-0-0-t1c GLI-0-0-t2f GLI-0-0-t1n GLI-0-0-seg",
        "a_T2 a_T1Gd a_FLAIR a_T1 a_Segm.seg",
    ],
)
def test_modalities_are_in_order(tmp_path, names):
    case(tmp_path, *names.split())
    image, labels = open_layers(tmp_path)
    assert image.array.shape == (4, 6, 5, 4)
    assert image.array[:, 0, 0, 0].tolist() == [2, 3, 1, 0]
    assert labels.labels
    assert labels.array.shape == (6, 5, 4)
    assert (labels.array == 4).all()


def test_labels_on_all_modalities_become_one_file(tmp_path):
    case(tmp_path, "x_flair", "x_t1")
    (image,) = open_layers(tmp_path)
    labels = np.zeros(image.array.shape, np.uint16)
    labels[0, 1, 2, 3] = 1
    labels[1, 1, 2, 2] = 2
    write_labels(tmp_path / "mask.nii.gz", labels, image.source)
    back = nibabel.load(tmp_path / "mask.nii.gz")
    assert back.shape == SHAPE
    assert np.asarray(back.dataobj)[3, 2, 6 - 1 - 1] == 1
    assert np.asarray(back.dataobj)[2, 2, 6 - 1 - 1] == 2
    write_labels(tmp_path / "mask.tif", labels, image.source)
    (stack,) = open_layers(tmp_path / "mask.tif")
    np.testing.assert_array_equal(stack.array, labels.max(axis=0))
    assert stack.source.units == ("mm",) * 3
    labels[1, 1, 2, 3] = 2
    with pytest.raises(ValueError, match="differ between the modalities"):
        write_labels(tmp_path / "mask.nii.gz", labels, image.source)


def test_other_files_are_left_out(tmp_path):
    case(tmp_path, "x_t2_flair", "x_t2", "adc", "flair_seg")
    image, labels = open_layers(tmp_path)
    assert image.array[:, 0, 0, 0].tolist() == [0, 1]
    assert (labels.array == 3).all()
    assert image.warnings == ("'adc.nii.gz' was left out; open it by itself.",)


def test_folders_that_are_no_cases(tmp_path):
    case(tmp_path, "brainmask", "x_t1")
    assert not is_image_folder(tmp_path)
    case(tmp_path, "other_flair", "x_flair", "st2ar")
    assert brats.find(tmp_path) is None


def test_modalities_that_do_not_fit(tmp_path):
    case(tmp_path, "x_flair")
    case(tmp_path, "x_t1", shape=(4, 5, 7))
    with pytest.raises(ValueError, match=r"x_t1.nii.gz' \(T1\) does not lie on"):
        open_layers(tmp_path)


def test_real_cases(shared):
    folder = shared / "data" / "eval" / "brats2013" / "brats_2013_pat0001_1"
    if not folder.is_dir():
        pytest.skip("the BraTS cases are not on this computer")
    image, labels = open_layers(folder)
    assert image.array.shape == (2, 155, 240, 240)
    assert image.array.dtype == np.float32
    assert labels.labels
    assert labels.array.shape == (155, 240, 240)
    assert set(np.unique(labels.array)) <= set(range(6))


def test_a_damaged_modality(tmp_path):
    case(tmp_path, "x_flair", "x_t1")
    (tmp_path / "x_t1.nii.gz").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"x_t1.nii.gz' cannot be read as an image"):
        open_layers(tmp_path)
