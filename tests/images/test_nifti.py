import gzip
import itertools
import re
import tracemalloc

import nibabel
import numpy as np
import pytest
from nibabel.orientations import apply_orientation, inv_ornt_aff

from napari_simpleclick.images.files import read_image, write_labels
from napari_simpleclick.images.formats import nifti
from napari_simpleclick.images.lazy_array import LazyArray
from napari_simpleclick.images.source import Source
from napari_simpleclick.images.viewer_images import open_layers

UPRIGHT = nibabel.orientations.axcodes2ornt(("I", "P", "L"))
TURNS = [
    np.column_stack([axes, signs])
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]
"""All 48 ways in which a file's axes can lie along the world's."""


def save(path, volume, affine=None, **header):
    image = nibabel.Nifti1Image(volume, np.eye(4) if affine is None else affine)
    for key, value in header.items():
        image.header[key] = value
    nibabel.save(image, path)
    return path


def only(path):
    (opened,) = open_layers(path)
    return opened


def oblique(spacing=(0.7, 0.8, 3.0)):
    """RAS affine, a little oblique, away from the origin."""
    a, b = np.deg2rad(7), np.deg2rad(-4)
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = x @ z * spacing
    affine[:3, 3] = (-90.5, 120.25, -33)
    return affine


@pytest.mark.parametrize("turn", TURNS, ids=lambda t: "".join(map(str, t.ravel())))
@pytest.mark.parametrize("codes", [(1, 2), (4, 0), (0, 3), (0, 0)])
def test_labels_return_to_where_the_file_has_them(tmp_path, turn, codes):
    ras = np.random.default_rng(0).integers(0, 300, (4, 5, 6)).astype(np.int16)
    volume = apply_orientation(ras, turn)
    affine = oblique() @ inv_ornt_aff(turn, ras.shape)
    image = nibabel.Nifti1Image(volume, affine)
    image.set_qform(affine, codes[0])
    image.set_sform(affine, codes[1])
    nibabel.save(image, tmp_path / "scan.nii.gz")

    opened = only(tmp_path / "scan.nii.gz")
    if codes != (0, 0):  # else the file does not say how it lies
        upright = apply_orientation(
            ras, nibabel.orientations.ornt_transform([[0, 1], [1, 1], [2, 1]], UPRIGHT)
        )
        np.testing.assert_array_equal(opened.array, upright)
        np.testing.assert_allclose(opened.source.scale, (3.0, 0.8, 0.7), rtol=1e-5)

    write_labels(tmp_path / "mask.nii.gz", np.array(opened.array), opened.source)
    before = nibabel.load(tmp_path / "scan.nii.gz")
    after = nibabel.load(tmp_path / "mask.nii.gz")
    assert after.get_data_dtype() == np.uint16
    np.testing.assert_array_equal(np.asarray(after.dataobj), volume)
    np.testing.assert_array_equal(after.affine, before.affine)
    for key in ("qform_code", "sform_code", "pixdim", "xyzt_units", "quatern_b"):
        np.testing.assert_array_equal(after.header[key], before.header[key])
    for key in ("srow_x", "srow_y", "srow_z", "qoffset_x", "quatern_c", "quatern_d"):
        np.testing.assert_array_equal(after.header[key], before.header[key])


def test_upright_axes_have_names_units_and_an_origin(tmp_path):
    affine = np.diag([-2.0, -3.0, 4.0, 1.0])
    affine[:3, 3] = (10, 20, 30)
    save(tmp_path / "a.nii", np.zeros((5, 6, 7), np.float32), affine, xyzt_units=3)
    source = only(tmp_path / "a.nii").source
    assert source.axis_labels == ("inferior", "posterior", "left")
    assert source.units == ("um",) * 3
    assert source.scale == (4, 3, 2)
    assert source.translate == (-(30 + 6 * 4), -20, -10)


def test_time_comes_first_and_returns_last(tmp_path):
    volume = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).astype(np.int16)
    image = nibabel.Nifti1Image(volume, np.diag([-1.0, -1.0, -1.0, 1.0]))
    image.header.set_zooms((1, 1, 1, 2.5))
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, tmp_path / "bold.nii")
    opened = only(tmp_path / "bold.nii")
    assert opened.array.shape == (5, 4, 3, 2)
    assert opened.source.scale == (2.5, 1, 1, 1)
    assert opened.source.axis_labels[0] == "time"
    assert opened.source.units == ("s", "mm", "mm", "mm")
    write_labels(tmp_path / "4d.nii", np.array(opened.array), opened.source)
    np.testing.assert_array_equal(
        np.asarray(nibabel.load(tmp_path / "4d.nii").dataobj), volume
    )
    write_labels(tmp_path / "3d.nii", np.array(opened.array[2]), opened.source)
    np.testing.assert_array_equal(
        np.asarray(nibabel.load(tmp_path / "3d.nii").dataobj), volume[..., 2]
    )


def test_channels_and_axes_of_length_one(tmp_path):
    save(tmp_path / "vector.nii", np.zeros((2, 3, 4, 1, 3), np.float32))
    opened = only(tmp_path / "vector.nii")
    assert opened.array.shape == (3, 4, 3, 2)
    assert opened.source.axis_labels[0] == "channel"
    labels = np.ones((3, 4, 3, 2), np.uint8)
    write_labels(tmp_path / "m.nii", labels, opened.source)
    assert nibabel.load(tmp_path / "m.nii").shape == (2, 3, 4, 1, 3)
    save(tmp_path / "flat.nii", np.arange(6, dtype=np.uint8).reshape(2, 3))
    opened = only(tmp_path / "flat.nii")
    assert opened.array.shape == (3, 2)
    write_labels(tmp_path / "flatmask.nii", np.array(opened.array), opened.source)
    back = nibabel.load(tmp_path / "flatmask.nii")
    np.testing.assert_array_equal(back.dataobj, np.arange(6).reshape(2, 3))


def test_colour(tmp_path):
    kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    voxels = np.random.default_rng(0).integers(0, 255, (3, 4, 5, 3)).astype(np.uint8)
    image = nibabel.Nifti1Image(voxels.view(kind)[..., 0], np.diag([-1, -1, -1, 1]))
    nibabel.save(image, tmp_path / "rgb.nii")
    file = read_image(tmp_path / "rgb.nii")
    assert (file.rgb, file.shape) == (True, (3, 4, 5))
    np.testing.assert_array_equal(file.array[1, :, 2], voxels[1, :, 2])
    opened = only(tmp_path / "rgb.nii")
    assert opened.rgb
    np.testing.assert_array_equal(opened.array, voxels.transpose(2, 1, 0, 3))
    write_labels(tmp_path / "m.nii", np.ones((5, 4, 3), np.uint8), opened.source)
    assert nibabel.load(tmp_path / "m.nii").shape == (3, 4, 5)


def test_which_files_are_labels(tmp_path):
    whole = np.array([[[0, 1], [2, 700]]])
    for name, volume, intent, labels in (
        ("a_seg.nii.gz", whole.astype(np.int16), 0, True),
        ("a-label.nii", whole.astype(np.uint8), 0, True),
        ("a_seg_float.nii", whole.astype(np.int16), 0, False),
        ("mask.nii", whole.astype(np.float32), 0, True),
        ("soft_mask.nii", whole.astype(np.float32) / 2, 0, False),
        ("t1.nii", whole.astype(np.int16), 1002, True),
        ("t2.nii", whole.astype(np.int16), 0, False),
    ):
        save(tmp_path / name, volume, intent_code=intent)
        opened = only(tmp_path / name)
        assert opened.labels == labels, name
        if labels:
            assert opened.array.dtype.kind in "iu"
        assert opened.name == name.split(".")[0]


def test_scaled_and_foreign_byte_orders(tmp_path):
    volume = np.arange(24, dtype=">i2").reshape(2, 3, 4)
    image = nibabel.Nifti1Image(volume, np.eye(4))
    image.header.set_slope_inter(0.5, -10)
    nibabel.save(image, tmp_path / "ct.nii")
    stored = nibabel.load(tmp_path / "ct.nii")
    opened = only(tmp_path / "ct.nii")
    assert opened.array.dtype == np.float32
    np.testing.assert_allclose(
        np.sort(np.ravel(opened.array)), np.sort(stored.get_fdata().ravel())
    )
    big = nibabel.Nifti1Header(endianness=">")
    big.set_data_dtype(np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4), big), tmp_path / "big.nii")
    assert only(tmp_path / "big.nii").array.dtype.isnative


@pytest.mark.parametrize("bad", [0.0, np.nan])
def test_no_valid_orientation_is_a_warning(tmp_path, bad):
    path = save(tmp_path / "a.nii", np.ones((3, 4, 5), np.uint8))
    raw = bytearray(path.read_bytes())
    header = nibabel.load(path).header
    header["sform_code"], header["qform_code"] = 2, 0
    header["srow_x"] = header["srow_y"] = header["srow_z"] = bad
    header["pixdim"][1:4] = (2, 3, 4)
    raw[:348] = header.binaryblock
    path.write_bytes(raw)
    opened = only(path)
    assert opened.source.scale == (4, 3, 2)
    assert "no valid orientation" in opened.warnings[0]
    write_labels(tmp_path / "m.nii", np.array(opened.array), opened.source)
    back = nibabel.load(tmp_path / "m.nii")
    assert back.shape == (3, 4, 5)
    np.testing.assert_array_equal(back.header["srow_x"], header["srow_x"])


def test_damaged_files_say_so(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (30, 40, 50)).astype(np.uint8)
    path = save(tmp_path / "a.nii.gz", noise)
    path.write_bytes(path.read_bytes()[:30_000])
    with pytest.raises(ValueError, match=r"a\.nii\.gz' is damaged or incomplete"):
        open_layers(path)
    path = save(tmp_path / "b.nii", noise)
    path.write_bytes(path.read_bytes()[:30_000])
    with pytest.raises(ValueError, match="ends after 30000 of 60352 bytes"):
        open_layers(path)
    path.write_bytes(gzip.compress(b"no image"))
    with pytest.raises(ValueError, match="cannot be read as an image"):
        open_layers(path)


def test_nan_voxels_are_kept(tmp_path):
    volume = np.full((3, 4, 5), np.nan, np.float32)
    assert np.isnan(only(save(tmp_path / "a.nii", volume)).array).all()


def test_a_file_of_4_gb_takes_no_memory(tmp_path):
    path = tmp_path / "big.nii"
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((1024, 1024, 2048))
    header.set_sform(np.diag([1.0, 1.0, 2.0, 1.0]), 1)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    with path.open("wb") as file:
        file.write(header.binaryblock)
        file.seek(352 + 7 * 2 * 1024**2 + 2 * (5 + 1024 * 9))
        file.write(np.int16(99).tobytes())
        file.truncate(352 + 2 * 1024**2 * 2048)
    tracemalloc.start()
    opened = only(path)
    assert isinstance(opened.array, LazyArray)
    section = opened.array[2047 - 7]
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    assert np.argwhere(section).tolist() == [[1023 - 9, 1023 - 5]]
    assert opened.array[2040, 1014, 1018] == 99
    assert opened.array[2035:2045:5, 1014, ::-1].max() == 99
    assert opened.array[-8, ..., 1018].shape == (1024,)
    with pytest.raises(IndexError):
        opened.array[0, 0, 0, 0]
    with pytest.raises(IndexError):
        opened.array[2048]

    with path.open("r+b") as file:
        file.truncate(100_000)
    with pytest.raises(ValueError, match="has changed on disk since it was opened"):
        opened.array[3]
    path.unlink()
    with pytest.raises(ValueError, match="open it again"):
        opened.array[3]


def test_labels_of_another_shape(tmp_path):
    source = only(save(tmp_path / "a.nii", np.ones((3, 4, 5), np.uint8))).source
    sentence = re.escape("have the shape (5, 4, 4), but the image")
    with pytest.raises(ValueError, match=sentence):
        write_labels(tmp_path / "m.nii", np.ones((5, 4, 4), np.uint8), source)
    assert not (tmp_path / "m.nii").exists()


def test_a_layer_without_a_file_stands_where_it_stood(tmp_path):
    labels = np.arange(24).reshape(2, 3, 4)
    source = Source.of_layer((2, 3, 4), (40.0, 5.0, 6.0), (1.0, 2.0, 3.0), ("nm",) * 3)
    write_labels(tmp_path / "seg.nii.gz", labels, source)
    opened = only(tmp_path / "seg.nii.gz")
    assert opened.labels
    np.testing.assert_array_equal(opened.array, labels)
    np.testing.assert_allclose(opened.source.scale, (4e-5, 5e-6, 6e-6), rtol=1e-5)
    np.testing.assert_allclose(opened.source.translate, (1e-6, 2e-6, 3e-6), rtol=1e-5)


@pytest.mark.parametrize(
    ("largest", "kind"),
    [(1, "u1"), (255, "u1"), (256, "u2"), (70_000, "u4"), (2**40, "u8"), (-1, "i1")],
)
def test_labels_take_the_smallest_type(tmp_path, largest, kind):
    labels = np.zeros((2, 3, 4), np.int64)
    labels[1, 1, 1] = largest
    source = Source.of_layer(labels.shape, (1.0,) * 3, (0.0,) * 3)
    write_labels(tmp_path / "m.nii", labels, source)
    image = nibabel.load(tmp_path / "m.nii")
    assert image.get_data_dtype() == np.dtype(kind)
    assert np.asarray(image.dataobj)[1, 1, 1] == largest


def rewrite(path, **header):
    """Change the header of a .nii file, whether it makes sense or not."""
    image = nibabel.load(path)
    for key, value in header.items():
        image.header[key] = value
    image.header["vox_offset"] = len(image.header.binaryblock) + 4
    block = image.header.binaryblock
    path.write_bytes(block + path.read_bytes()[len(block) :])
    return path


def test_no_code_of_orientation_is_a_warning(tmp_path):
    path = save(tmp_path / "a.nii", np.ones((3, 4, 5), np.uint8))
    assert only(path).warnings == ()
    opened = only(rewrite(path, qform_code=0, sform_code=0))
    assert "left and right may be exchanged" in opened.warnings[0]


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_a_qform_that_makes_no_sense(tmp_path, kind):
    volume = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    affine = np.diag([-2.0, -3.0, 4.0, 1.0])
    image = kind(volume, affine)
    image.set_qform(affine, 1)
    image.header["quatern_b"] = image.header["quatern_c"] = 0.9
    nibabel.save(image, tmp_path / "a.nii")
    assert only(tmp_path / "a.nii").warnings == ()
    opened = only(rewrite(tmp_path / "a.nii", sform_code=0))
    assert "no valid orientation" in opened.warnings[0]
    assert opened.source.scale == (4, 3, 2)
    write_labels(tmp_path / "m.nii", np.array(opened.array), opened.source)
    np.testing.assert_array_equal(nibabel.load(tmp_path / "m.nii").dataobj, volume)


def test_a_bad_sform_beside_a_good_qform(tmp_path):
    volume = np.ones((3, 4, 5), np.uint8)
    image = nibabel.Nifti1Image(volume, np.eye(4))
    image.set_qform(np.diag([-2.0, -3.0, 4.0, 1.0]), 1)
    nibabel.save(image, tmp_path / "a.nii")
    rewrite(tmp_path / "a.nii", sform_code=1, srow_x=0)
    opened = only(tmp_path / "a.nii")
    assert opened.source.scale == (4, 3, 2)
    assert opened.warnings == ()


def test_units_that_nifti_has_not(tmp_path):
    path = save(tmp_path / "a.nii", np.ones((3, 4, 5), np.uint8))
    opened = only(rewrite(path, xyzt_units=7))
    assert opened.source.units == ("mm",) * 3
    write_labels(tmp_path / "m.nii", np.array(opened.array), opened.source)
    assert only(tmp_path / "m.nii").array.shape == (5, 4, 3)


def test_errors_are_one_sentence(tmp_path):
    path = rewrite(save(tmp_path / "a.nii", np.ones((3, 4, 5), np.uint8)), dim=[-1] * 8)
    with pytest.raises(ValueError) as info:
        only(path)
    assert str(info.value).count("a.nii") == 1
    assert str(info.value).endswith("copy it again.")
    source = Source.of_layer((2,) * 8, (1.0,) * 8, (0.0,) * 8)
    with pytest.raises(ValueError, match="cannot hold 8 axes"):
        write_labels(tmp_path / "m.nii", np.ones((2,) * 8, int), source)


def test_slices_of_a_damaged_file_are_not_read(tmp_path):
    noise = np.random.default_rng(0).integers(0, 99, (60, 60, 30)).astype(np.int16)
    data = bytearray(save(tmp_path / "a.nii.gz", noise).read_bytes())
    data[-8] ^= 255
    path = tmp_path / "b.nii.gz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"damaged or incomplete: CRC check failed"):
        read_image(path).array[:, :, 0]


def test_the_checksum_is_compared_once_and_piece_by_piece(tmp_path):
    volume = np.zeros((300, 300, 300), np.int16)
    file = read_image(save(tmp_path / "a.nii.gz", volume))
    tracemalloc.start()
    file.array[:, :, 0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < volume.nbytes / 5
    again = read_image(tmp_path / "a.nii.gz")
    before = nifti._compare.cache_info().hits
    again.array[:, :, 1]
    file.array[:, :, 2]
    assert nifti._compare.cache_info().hits == before + 2


def test_a_header_that_tells_of_more_than_there_is(tmp_path):
    noise = np.random.default_rng(0).integers(0, 99, (20, 20, 20)).astype(np.int16)
    data = bytearray(gzip.decompress(save(tmp_path / "a.nii.gz", noise).read_bytes()))
    for shape, told in (
        ((30000, 30000, 3000), "more than its"),
        ((20, 20, 40), "ends"),
    ):
        data[42:48] = np.array(shape, "<i2").tobytes()
        path = tmp_path / f"{shape[0]}.nii.gz"
        path.write_bytes(gzip.compress(bytes(data)))
        with pytest.raises(ValueError, match=told):
            read_image(path).array[:, :, 0]
