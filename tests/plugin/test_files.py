"""Files through napari's own commands."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from npe2 import PluginManager, PluginManifest, read, write

from napari_simpleclick.images.files import read_image
from napari_simpleclick.images.source import SOURCE_KEY
from napari_simpleclick.plugin.files import get_reader, read_layers, write_labels
from napari_simpleclick.plugin.layers.canvas import LayerCanvas
from napari_simpleclick.plugin.layers.placement import channel_names, found_mask

PLUGIN = "napari-simpleclick"


@pytest.fixture
def viewer():
    manager = PluginManager.instance()
    for name in ("napari", PLUGIN):  # in napari's own order
        if name not in manager:
            manager.register(PluginManifest.from_distribution(name))
    return ViewerModel()


@pytest.fixture
def scan(tmp_path):
    volume = np.random.default_rng(0).normal(size=(7, 6, 5)).astype(np.float32)
    volume[0] = np.nan
    affine = np.array([[0, 0, 2.0, 5], [-0.5, 0, 0, 6], [0, 0.7, 0, 7], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(volume, affine), tmp_path / "t1.nii.gz")
    return tmp_path / "t1.nii.gz"


def test_a_scan_opens_and_its_labels_are_saved_onto_it(viewer, scan, tmp_path):
    (image,) = viewer.open(scan, plugin=PLUGIN)
    assert image.name == "t1"
    assert image.data.shape == (6, 7, 5)
    np.testing.assert_allclose(image.scale, (0.7, 0.5, 2), rtol=1e-6)
    assert np.isfinite(image.contrast_limits).all()
    assert image.axis_labels == ("inferior", "posterior", "left")
    assert [str(unit) for unit in image.units] == ["millimeter"] * 3
    labels = viewer.add_labels(
        np.zeros(image.data.shape, int),
        metadata={SOURCE_KEY: image.metadata[SOURCE_KEY]},
    )
    labels.data[1, 2, 3] = 5
    (written,) = labels.save(str(tmp_path / "mask.nii.gz"))
    before, after = nibabel.load(scan), nibabel.load(written)
    np.testing.assert_array_equal(after.affine, before.affine)
    assert after.get_data_dtype() == np.uint8
    at = nibabel.affines.apply_affine(after.affine, np.argwhere(after.dataobj))
    world = image.data_to_world((1, 2, 3))[::-1]
    np.testing.assert_allclose(at, -np.array([world]), rtol=1e-5)

    (again,) = viewer.open(written, plugin=PLUGIN)
    assert again.data.dtype == np.uint8
    np.testing.assert_array_equal(again.data, labels.data)


def test_the_mask_of_the_plugin_is_saved_onto_the_scan(viewer, scan, tmp_path):
    (image,) = viewer.open(scan, plugin=PLUGIN)
    mask = LayerCanvas(viewer, image).mask
    mask.data[2, 3, 4] = 1
    mask.save(str(tmp_path / "mask.nii.gz"))
    before, after = nibabel.load(scan), nibabel.load(tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(after.header["srow_x"], before.header["srow_x"])
    (place,) = np.argwhere(after.dataobj)
    assert np.asarray(before.dataobj)[tuple(place)] == image.data[2, 3, 4]


def test_a_mask_replaces_a_mask_but_never_the_scan(viewer, scan, tmp_path):
    (image,) = viewer.open(scan, plugin=PLUGIN)
    mask, before = LayerCanvas(viewer, image).mask, scan.read_bytes()
    mask.data[2, 3, 4] = 1
    with pytest.raises(OSError, match="is what this is made from"):
        mask.save(str(scan), plugin=PLUGIN)
    assert scan.read_bytes() == before
    (written,) = mask.save(str(tmp_path / "t1_mask.nii.gz"))
    (again,) = viewer.open(written, plugin=PLUGIN, layer_type="labels")
    again.data[0, 0, 0] = 1
    again.save(written)
    assert np.count_nonzero(nibabel.load(written).dataobj) == 2


def test_a_scan_of_4_gb_is_sliced_from_disk(viewer, tmp_path):
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((1024, 1024, 2048))
    header["vox_offset"], header["magic"] = 352, b"n+1"
    with (tmp_path / "big.nii").open("wb") as file:
        file.write(header.binaryblock)
        file.truncate(352 + 2 * 1024**2 * 2048)
    (image,) = viewer.open(tmp_path / "big.nii", plugin=PLUGIN)
    viewer.dims.set_point(0, viewer.dims.range[0].stop)
    viewer.dims.order = (1, 0, 2)
    assert not isinstance(image.data, np.ndarray)
    assert image.data[2047, 5].shape == (1024,)
    (tmp_path / "big.nii").unlink()


def test_layers_without_a_source_are_saved_where_they_are(viewer, tmp_path):
    labels = viewer.add_labels(
        np.arange(24).reshape(2, 3, 4),
        scale=(4, 5, 6),
        translate=(1, 2, 3),
        units=("um",) * 3,
    )
    for name in ("m_seg.nii.gz", "m_seg.nrrd", "m_seg.mha", "m_seg.tif"):
        written = write(tmp_path / name, [labels], plugin_name=PLUGIN)
        ((data, look, kind),) = read(written, stack=False, plugin_name=PLUGIN)
        assert kind == "labels"
        np.testing.assert_array_equal(data, labels.data)
        factor = 1 if name.endswith("tif") else 1e-3
        np.testing.assert_allclose(look["scale"], np.array([4, 5, 6]) * factor)


def ball(path, angle, size):
    """A scan of a ball at (3, 5, -2) mm, tilted about the axis from right to left."""
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    turn = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn * size, turn @ (-20, -18, -21)
    grid = np.indices((40, 44, 22)).reshape(3, -1)
    away = affine[:3, :3] @ grid + affine[:3, 3:] - [[3], [5], [-2]]
    volume = (np.linalg.norm(away, axis=0) < 9).reshape(40, 44, 22)
    nibabel.save(nibabel.Nifti1Image(volume.astype(np.uint8), affine), path)
    return path


def centre(layer):
    return layer.data_to_world(np.argwhere(layer.data).mean(axis=0))


@pytest.mark.parametrize("first", ["straight.nii", "tilted.nii"])
def test_scans_of_different_tilts_lie_on_each_other(viewer, tmp_path, first):
    ball(tmp_path / "straight.nii", 0, (1, 1, 2))
    ball(tmp_path / "tilted.nii", 20, (1, 0.9, 2))
    other = ({"straight.nii", "tilted.nii"} - {first}).pop()
    (one,) = viewer.open(tmp_path / first, plugin=PLUGIN)
    np.testing.assert_array_equal(one.affine.affine_matrix, np.eye(4))
    notification_manager.records.clear()
    (two,) = viewer.open(tmp_path / other, plugin=PLUGIN)
    told = str(notification_manager.records[-1].message)
    assert "is tilted by 20 degrees against the scan that is open" in told
    np.testing.assert_allclose(centre(two), centre(one), atol=0.1)
    mask = LayerCanvas(viewer, two).mask
    mask.data = np.asarray(two.data)
    mask.save(str(tmp_path / "mask.nii.gz"), plugin=PLUGIN)
    before, after = (nibabel.load(tmp_path / name) for name in (other, "mask.nii.gz"))
    np.testing.assert_array_equal(after.affine, before.affine)
    np.testing.assert_array_equal(after.dataobj, before.dataobj)
    (again,) = viewer.open(tmp_path / "mask.nii.gz", plugin=PLUGIN)
    np.testing.assert_allclose(centre(again), centre(one), atol=0.1)
    (third,) = viewer.open(tmp_path / first, plugin=PLUGIN)
    np.testing.assert_array_equal(third.affine.affine_matrix, np.eye(4))


def test_a_scan_that_is_alone_stands_along_its_own_axes(viewer, tmp_path):
    ball(tmp_path / "straight.nii", 0, (1, 1, 2))
    ball(tmp_path / "tilted.nii", 20, (1, 0.9, 2))
    viewer.open(tmp_path / "straight.nii", plugin=PLUGIN)
    viewer.layers.clear()
    (two,) = viewer.open(tmp_path / "tilted.nii", plugin=PLUGIN)
    np.testing.assert_array_equal(two.affine.affine_matrix, np.eye(4))


LENGTHS = {"T": 2, "Z": 5, "C": 3, "Y": 20, "X": 24}
PLACES = {"time": 1, "z": 3, "channel": 0, "y": 10, "x": 13}


def in_view(viewer, layer, index):
    """Place of a voxel in napari's world, as the viewer's units have it."""
    units = viewer.layers.extent.units
    assert units is not None  # else lengths of different units are mixed up
    place = layer.data_to_world(index)
    factors = [
        (1 * own).to(shown).magnitude
        for own, shown in zip(layer.units, units[-layer.ndim :], strict=True)
    ]
    return np.array(place) * factors


def stack(path, axes, sizes="XYZ"):
    """Save an empty stack, with sizes along these axes."""
    meta = {"axes": axes}
    for size, axis in enumerate(sizes, start=2):
        meta |= {f"PhysicalSize{axis}": size / 10, f"PhysicalSize{axis}Unit": "um"}
    data = np.zeros([LENGTHS[axis] for axis in axes], np.uint16)
    options = {"ome": axes.endswith("YX"), "photometric": "minisblack"}
    tifffile.imwrite(path, data, metadata=meta, **options)
    return path


def assert_lies_on(viewer, mask, image):
    """The first voxel of a mask is that of PLACES, for all entries of other axes."""
    index = np.argwhere(mask.data)[0]
    for axis, name in enumerate(image.axis_labels[-mask.ndim :], -mask.ndim):
        single, length = mask.data.shape[axis] == 1, LENGTHS[name[0].upper()]
        middle, half = PLACES[name], 0.5
        if single:
            middle, half = (length - 1) / 2, length / 2
        for side in (-1, 1):
            own, of_image = index.astype(float), np.zeros(image.ndim)
            own[axis] += side / 2
            of_image[axis] = middle + side * half
            found = in_view(viewer, mask, own)[axis]
            expected = in_view(viewer, image, of_image)[axis]
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


ORDERS = ("ZCYX", "CZYX", "TZCYX", "ZTCYX", "TCZYX", "ZTYX", "CYX", "YXC", "ZYXC")


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".seg.nrrd", ".mha", ".tif"])
@pytest.mark.parametrize(
    ("axes", "sizes"),
    [
        *((axes, "XYZ") for axes in (*ORDERS, "YXZ", "TCYX", "TYX")),
        ("ZCYX", "XY"),
        ("ZCYX", ""),
    ],
)
def test_masks_lie_on_images_of_every_order(viewer, tmp_path, axes, suffix, sizes):
    (image,) = viewer.open(stack(tmp_path / "a.tif", axes, sizes), plugin=PLUGIN)
    assert image.data.shape == tuple(LENGTHS[axis] for axis in axes)
    mask = LayerCanvas(viewer, image).mask
    mask.data[tuple(PLACES[name] for name in image.axis_labels)] = 1
    saved, twice = (tmp_path / f"{name}_seg{suffix}" for name in "mn")
    mask.save(str(saved), plugin=PLUGIN)
    (again,) = viewer.open(saved, plugin=PLUGIN)
    assert_lies_on(viewer, again, image)
    assert again.data.shape == mask.data.shape[-again.ndim :]
    again.save(str(twice), plugin=PLUGIN)
    before, after = read_image(saved), read_image(twice)
    np.testing.assert_array_equal(after.array, before.array)
    np.testing.assert_array_equal(after.affine, before.affine)
    assert after.units == before.units
    np.testing.assert_allclose(after.spacing, before.spacing, rtol=1e-6)


def of_another_program(path):
    """A mask of z, y and x without sizes, its axes along those of ITK."""
    volume = np.zeros((5, 20, 24), np.uint8)
    volume[3, 10, 13] = 1
    if path.suffix == ".tif":
        tifffile.imwrite(path, volume, photometric="minisblack")
    else:
        sitk.WriteImage(sitk.GetImageFromArray(volume), str(path))
    return path


@pytest.mark.parametrize("name", ["m_seg.nii.gz", "m_seg.nrrd", "m_seg.tif"])
@pytest.mark.parametrize("axes", ["ZYX", "ZCYX", "ZTCYX", "ZYXC", "TZCYX"])
def test_masks_of_other_programs_lie_on_images(viewer, tmp_path, axes, name):
    (image,) = viewer.open(stack(tmp_path / "a.tif", axes), plugin=PLUGIN)
    path = of_another_program(tmp_path / name)
    (mask,) = viewer.open(path, plugin=PLUGIN)
    assert_lies_on(viewer, mask, image)
    mask.save(str(tmp_path / f"n_{name}"), plugin=PLUGIN)
    before, after = read_image(path), read_image(tmp_path / f"n_{name}")
    np.testing.assert_array_equal(after.array, before.array)
    np.testing.assert_array_equal(after.affine, before.affine)


def test_a_mask_lies_on_the_image_that_it_is_of(viewer, tmp_path):
    for name, sizes in (("a", "XYZ"), ("b", "ZYX")):
        viewer.open(stack(tmp_path / f"{name}.tif", "ZCYX", sizes), plugin=PLUGIN)
    first, second = viewer.layers
    mask = LayerCanvas(viewer, first).mask
    mask.data[3, 0, 10, 13] = 1
    mask.save(str(tmp_path / "m_seg.nii"), plugin=PLUGIN)
    viewer.layers.selection.active = second
    (again,) = viewer.open(tmp_path / "m_seg.nii", plugin=PLUGIN)
    assert_lies_on(viewer, again, first)
    path = of_another_program(tmp_path / "o_seg.nii")  # of a place that none has
    viewer.layers.selection.active = first
    assert_lies_on(viewer, viewer.open(path, plugin=PLUGIN)[0], first)
    viewer.layers.selection.active = second
    assert_lies_on(viewer, viewer.open(path, plugin=PLUGIN)[0], second)


def test_masks_of_other_shapes_are_left_to_napari(viewer, tmp_path):
    viewer.open(stack(tmp_path / "a.tif", "ZCYX"), plugin=PLUGIN)
    path = of_another_program(tmp_path / "m_seg.tif")
    tifffile.imwrite(path, np.zeros((4, 20, 24), np.uint8), photometric="minisblack")
    assert viewer.open(path, plugin=PLUGIN)[0].data.shape == (4, 20, 24)
    viewer.layers.clear()
    path = of_another_program(tmp_path / "n_seg.tif")
    assert viewer.open(path, plugin=PLUGIN)[0].data.shape == (5, 20, 24)


def test_a_fitted_mask_is_the_mask_of_the_panel(viewer, tmp_path):
    (image,) = viewer.open(stack(tmp_path / "a.tif", "ZCYX"), plugin=PLUGIN)
    path = of_another_program(tmp_path / "m_seg.nii")
    (opened,) = viewer.open(path, plugin=PLUGIN)
    canvas = LayerCanvas(viewer, image)
    target = canvas.grid().spatial()
    found = found_mask(opened).without_single_axes(target.shape)
    assert found.question(target) == ""
    canvas.mask.data = found.on(target)
    assert canvas.fits()
    assert canvas.session.objects.labels() == [1]
    assert_lies_on(viewer, canvas.mask, image)


def test_napari_keeps_the_formats_that_it_had(viewer, tmp_path):
    labels = viewer.add_labels(np.arange(30).reshape(2, 3, 5))
    # by whoever is registered first, which differs from installation to installation
    (written,) = labels.save(str(tmp_path / "mask"))
    assert written.endswith((".tif", ".nii.gz"))
    assert np.unique(read_image(Path(written)).array[...]).size == 30
    assert get_reader([written]) is None
    (tmp_path / "photo.png").touch()
    assert get_reader(str(tmp_path)) is None
    readers = PluginManager.instance().iter_compatible_readers("photo.png")
    assert PLUGIN not in {reader.plugin_name for reader in readers}


def test_warnings_are_shown(viewer, tmp_path):
    for number in (1, 2, 4):
        tifffile.imwrite(tmp_path / f"{number}.tif", np.zeros((4, 5), np.uint8))
    assert get_reader(str(tmp_path)) is read_layers
    notification_manager.records.clear()
    viewer.open(tmp_path, plugin=PLUGIN)
    (shown,) = notification_manager.records
    assert "no slices with the numbers 3" in shown.message


def test_modalities_are_one_layer(viewer, tmp_path):
    for name in ("x_flair", "x_t1", "x_seg"):
        image = nibabel.Nifti1Image(np.ones((4, 5, 6), np.int16), np.eye(4))
        nibabel.save(image, tmp_path / f"{name}.nii.gz")
    image, labels = viewer.open(tmp_path, plugin=PLUGIN)
    assert image.axis_labels == ("modality", "inferior", "posterior", "left")
    assert image.data.shape == (2, 6, 5, 4)
    assert viewer.dims.ndim == 4
    assert labels.data.shape == (6, 5, 4)
    mask = viewer.add_labels(np.ones(image.data.shape, int), metadata=image.metadata)
    write_labels(str(tmp_path / "m.nii.gz"), *mask.as_layer_data_tuple()[:2])
    assert nibabel.load(tmp_path / "m.nii.gz").shape == (4, 5, 6)


def test_unwritable_targets(viewer, tmp_path):
    labels = viewer.add_labels(np.ones((2, 3, 4), int))
    with pytest.raises(OSError, match="cannot be written"):
        labels.save(str(tmp_path / "no" / "m.nii.gz"), plugin=PLUGIN)


def test_a_scale_set_by_hand_is_saved(viewer, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 6, 7), np.uint16))
    (image,) = viewer.open(tmp_path / "a.tif", plugin=PLUGIN)
    image.scale, image.units = (40, 4, 4), ("nm",) * 3
    mask = LayerCanvas(viewer, image).mask
    mask.data[2, 3, 4] = 1
    mask.save(str(tmp_path / "m.tif"), plugin=PLUGIN)
    ((_, look, _),) = read([tmp_path / "m.tif"], stack=False, plugin_name=PLUGIN)
    np.testing.assert_allclose(look["scale"], (40, 4, 4))
    assert look["units"] == ("nm",) * 3
    mask.save(str(tmp_path / "m.nii.gz"))
    zooms = nibabel.load(tmp_path / "m.nii.gz").header.get_zooms()
    np.testing.assert_allclose(zooms, (4e-6, 4e-6, 4e-5), rtol=1e-5)


def test_a_cropped_layer_is_not_saved_as_the_whole(viewer, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 6, 7), np.uint16))
    (image,) = viewer.open(tmp_path / "a.tif", plugin=PLUGIN)
    crop = viewer.add_labels(np.ones((5, 3, 7), int), metadata=image.metadata)
    with pytest.raises(OSError, match="draw them on a layer of that image"):
        crop.save(str(tmp_path / "m.tif"), plugin=PLUGIN)


def test_a_brats_case_has_one_mask_for_all_modalities(viewer, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("x_flair", "x_t1", "x_t1ce", "x_t2"):
        scan = nibabel.Nifti1Image(rng.random((4, 5, 6), np.float32), np.eye(4))
        nibabel.save(scan, tmp_path / f"{name}.nii.gz")
    (image,) = viewer.open(tmp_path, plugin=PLUGIN)
    canvas = LayerCanvas(viewer, image)
    assert (canvas.options.channel_axis, canvas.options.channels) == (0, (0, 2, 3))
    assert channel_names(image, 0) == ("FLAIR", "T1", "T1c", "T2")
    assert canvas.mask.data.shape == (1, *image.data.shape[1:])
    canvas.mask.data[0, 1, 2, 3] = 1
    canvas.mask.save(str(tmp_path / "mask.nii.gz"))
    saved = nibabel.load(tmp_path / "mask.nii.gz")
    assert saved.shape == (4, 5, 6)
    assert np.asarray(saved.dataobj).sum() == 1


@pytest.mark.parametrize("suffix", ["tif", "nii.gz"])
def test_the_mask_of_a_channel_stack_is_saved_without_channels(
    viewer, tmp_path, suffix
):
    stack = np.random.default_rng(0).integers(0, 99, (6, 3, 20, 30)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZCYX"})
    (image,) = viewer.open(tmp_path / "a.tif", plugin=PLUGIN)
    mask = LayerCanvas(viewer, image).mask
    assert sorted(mask.data.shape) == [1, 6, 20, 30]
    mask.data[..., 4, 5] = 1
    (written,) = mask.save(str(tmp_path / f"mask.{suffix}"))
    ((data, _, kind),) = read([written], stack=False, plugin_name=PLUGIN)
    assert kind in ("labels", "image")
    assert np.asarray(data).sum() == 6
