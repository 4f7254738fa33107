"""Headers that other programs write: read as they are meant, or refused in words."""

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.files import read_image, write_labels
from napari_simpleclick.images.viewer_images import open_layers

VOLUME = np.arange(6 * 7 * 8, dtype=np.int16).reshape(6, 7, 8)
SPACE = "space: left-posterior-superior\nspace origin: (0,0,0)"


def nifti(path, volume=VOLUME, **header):
    """Save a NIfTI file with a header that nibabel would not write."""
    affine = np.diag([-1.0, -1.0, -1.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(volume, affine, dtype=volume.dtype), path)
    with path.open("rb") as file:
        changed = nibabel.Nifti1Header.from_fileobj(file)
    for key, value in header.items():
        changed[key] = value
    path.write_bytes(changed.binaryblock + path.read_bytes()[348:])
    return path


def nrrd(path, data, lines):
    kind = {"f": "float", "i": "short"}[data.dtype.kind]
    head = ["NRRD0005", f"type: {kind}", "encoding: raw", "endian: little"]
    sizes = " ".join(map(str, data.shape[::-1]))
    head += [f"dimension: {data.ndim}", f"sizes: {sizes}", *lines]
    path.write_bytes("\n".join([*head, "", ""]).encode() + data.tobytes())
    return path


def only(path):
    (opened,) = open_layers(path)
    return opened


@pytest.mark.parametrize(
    "dims",
    [
        (4, 6, 7, 8, 0, 0, 0, 0),
        (5, 6, 7, 8, 1, 0, 0, 0),
        (7, 6, 7, 8, 1, 1, 0, 0),
        (0, 6, 7, 8, 0, 0, 0, 0),
        (-4, 6, 7, 8, 1, 1, 1, 1),
    ],
)
def test_dimensions_of_length_zero(tmp_path, dims):
    opened = only(nifti(tmp_path / "a.nii", dim=dims))
    np.testing.assert_array_equal(opened.array, VOLUME.transpose())
    write_labels(tmp_path / "m.nii", np.array(opened.array), opened.source)
    back = np.asarray(nibabel.load(tmp_path / "m.nii").dataobj)
    np.testing.assert_array_equal(back.reshape(VOLUME.shape), VOLUME)


def test_voxels_that_begin_in_the_header(tmp_path):
    opened = only(nifti(tmp_path / "a.nii", vox_offset=0))
    np.testing.assert_array_equal(opened.array, VOLUME.transpose())


@pytest.mark.parametrize(
    ("slope", "intercept", "expected", "said"),
    [
        (2, np.nan, 2 * VOLUME, False),
        (2, np.inf, 2 * VOLUME, False),
        (1, -1024, VOLUME - 1024.0, False),
        (np.nan, -1024, VOLUME, True),
        (0, -1024, VOLUME, True),
        (np.nan, np.nan, VOLUME, False),
    ],
)
def test_scaling_with_a_number_missing(tmp_path, slope, intercept, expected, said):
    path = nifti(tmp_path / "a.nii", scl_slope=slope, scl_inter=intercept)
    file = read_image(path)
    np.testing.assert_array_equal(file.array, expected)
    assert bool(file.warnings) == said


@pytest.mark.parametrize("kind", ["u4", "i8", "u8"])
@pytest.mark.parametrize("shift", [0, 5])
def test_integers_of_more_than_53_bits(tmp_path, kind, shift):
    large = VOLUME.astype(kind) + (np.iinfo(kind).max // 2)
    path = nifti(tmp_path / "a_seg.nii", large, scl_slope=1, scl_inter=shift)
    opened = only(path)
    assert opened.labels
    np.testing.assert_array_equal(
        opened.array, large.transpose() + np.array(shift, kind)
    )
    for suffix in (".nii", ".nrrd", ".mha"):
        write_labels(tmp_path / f"m{suffix}", np.array(opened.array), opened.source)
        back = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"m{suffix}")))
        np.testing.assert_array_equal(back, opened.array)


@pytest.mark.parametrize("kind", ["time", "list", "3D-symmetric-matrix"])
@pytest.mark.parametrize("last", [False, True])
def test_axes_of_nrrd_that_are_not_of_space(tmp_path, kind, last):
    data = np.arange(6 * 2 * 3 * 4, dtype="f4").reshape(6, 4, 3, 2)
    directions, kinds = ["(1,0,0)", "(0,1,0)", "(0,0,1)"], ["domain"] * 3
    place = 3 if last else 0
    directions.insert(place, "none")
    kinds.insert(place, kind)
    lines = [
        SPACE,
        f"space directions: {' '.join(directions)}",
        f"kinds: {' '.join(kinds)}",
    ]
    stored = data if last else np.ascontiguousarray(np.moveaxis(data, 0, -1))
    opened = only(nrrd(tmp_path / "a.nrrd", stored, lines))
    np.testing.assert_array_equal(opened.array, data[:, ::-1])
    assert opened.source.axis_labels[0] == ("time" if kind == "time" else "channel")


@pytest.mark.parametrize("packing", ["gzip", "bzip2"])
@pytest.mark.parametrize("detached", [False, True])
def test_packed_and_detached_nrrd(tmp_path, packing, detached):
    import bz2
    import gzip

    path = nrrd(tmp_path / "a.nhdr", VOLUME.transpose().copy(), [])
    head, _, body = path.read_bytes().partition(b"\n\n")
    head = head.replace(b"encoding: raw", f"encoding: {packing}".encode())
    packed = {"gzip": gzip, "bzip2": bz2}[packing].compress(body)
    if detached:
        (tmp_path / "a.data").write_bytes(packed)
        path.write_bytes(head + b"\ndata file: a.data\n\n")
    else:
        path.write_bytes(head + b"\n\n" + packed)
    np.testing.assert_array_equal(read_image(path).array, VOLUME)


def test_complex_nrrd(tmp_path):
    data = np.stack([VOLUME, VOLUME], -1).astype("f4")
    lines = [SPACE, "space directions: none (1,0,0) (0,1,0) (0,0,1)"]
    lines += ["kinds: complex domain domain domain"]
    file = read_image(nrrd(tmp_path / "a.nrrd", data, lines))
    np.testing.assert_allclose(file.array, np.sqrt(2) * VOLUME.transpose(), rtol=1e-6)
    assert "complex numbers" in file.warnings[0]


def test_a_compressed_file_that_was_changed(tmp_path):
    path = tmp_path / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(VOLUME, np.eye(4)), path)
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF  # of the checksum
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"is damaged or incomplete: CRC check failed"):
        open_layers(path)


def test_voxels_in_another_file(tmp_path):
    nibabel.save(nibabel.Nifti1Pair(VOLUME, np.eye(4)), tmp_path / "a.hdr")
    with pytest.raises(UserError, match=r"in a second file \(.img\); convert both"):
        open_layers(tmp_path / "a.hdr")
    nibabel.save(nibabel.load(tmp_path / "a.hdr"), tmp_path / "a.nii")  # the advice
    assert only(tmp_path / "a.nii").array.shape == (8, 7, 6)


def test_voxels_of_one_bit(tmp_path):
    with pytest.raises(UserError, match=r"one bit a voxel.*save it with 8 bits"):
        open_layers(nifti(tmp_path / "a.nii", datatype=1, bitpix=1))
