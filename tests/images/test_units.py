"""Units of length: read in every spelling, converted, never relabelled."""

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import tifffile

from napari_simpleclick.images.files import read_image, write_labels
from napari_simpleclick.images.source import Source
from napari_simpleclick.images.units import known_unit
from napari_simpleclick.images.viewer_images import open_layers

STACK = np.zeros((4, 5, 6), np.uint16)
MICRO, ANGSTROM = "\N{MICRO SIGN}m", "\N{LATIN CAPITAL LETTER A WITH RING ABOVE}"


def only(path):
    (opened,) = open_layers(path)
    return opened


def ome(path, unit="um", stack=STACK, axes="ZYX", **sizes):
    sizes = {"X": 2, "Y": 3, "Z": 5} | sizes
    meta = {f"PhysicalSize{a}": size for a, size in sizes.items() if size is not None}
    units = {f"PhysicalSize{axis}Unit": unit for axis in sizes}
    options = {"photometric": "minisblack", "metadata": {"axes": axes, **meta, **units}}
    tifffile.imwrite(path, stack, ome=True, **options)
    return path


def imagej(path, stack=STACK, resolution=(5, 5), **meta):
    tifffile.imwrite(
        path,
        stack,
        imagej=True,
        resolution=resolution,
        metadata={"axes": "ZYX", **meta},
    )
    return path


def spacing_mm(path):
    return sitk.ReadImage(str(path)).GetSpacing()


@pytest.mark.parametrize(
    ("spelling", "unit"),
    [
        *(("um", "um"), (MICRO, "um"), ("\N{GREEK SMALL LETTER MU}m", "um")),
        *(("micron", "um"), ("Microns", "um"), (r"\u00B5m", "um"), ("\xc2\xb5m", "um")),
        *(("micrometre", "um"), ("nanometers", "nm"), ("Nanometer", "nm")),
        *((ANGSTROM, "angstrom"), ("\N{ANGSTROM SIGN}", "angstrom")),
        *(("mm", "mm"), ("MM", "mm"), ("m", "m"), ("meter", "m"), ("cm", "cm")),
        *(("inch", "inch"), ("in", "inch"), ("pm", "pm"), ("pixels", "pixel")),
        *(("", "pixel"), ("Mm", None), ("parsec", None), (None, None)),
    ],
)
def test_spellings(spelling, unit):
    assert known_unit(spelling) == unit


@pytest.mark.parametrize(
    ("unit", "mm"),
    [("nm", 1e-6), (MICRO, 1e-3), ("mm", 1), ("m", 1e3), (ANGSTROM, 1e-7)],
)
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_masks_in_mm(tmp_path, unit, mm, suffix):
    image = only(ome(tmp_path / "a.ome.tif", unit))
    mask = tmp_path / f"m{suffix}"
    write_labels(mask, STACK.astype(np.uint8), image.source)
    np.testing.assert_allclose(spacing_mm(mask), np.array([2, 3, 5]) * mm, rtol=1e-5)
    np.testing.assert_allclose(
        np.array(only(mask).source.scale), np.array([5, 3, 2]) * mm, rtol=1e-5
    )


@pytest.mark.parametrize("unit", ["nm", "um", "mm", "angstrom", "inch"])
@pytest.mark.parametrize("deep", [False, True])
def test_tiff_masks_keep_the_unit(tmp_path, unit, deep):
    source = Source.of_layer((4, 5, 6), (5.0, 3.0, 2.0), (0.0,) * 3, (unit,) * 3)
    labels = STACK.astype(np.uint32) + (70_000 if deep else 1)
    write_labels(tmp_path / "m.tif", labels, source)
    back = only(tmp_path / "m.tif")
    np.testing.assert_allclose(back.source.scale, (5, 3, 2))
    assert back.source.units == (unit,) * 3
    assert back.warnings == ()


def test_unknown_units_keep_the_ratio(tmp_path):
    image = only(imagej(tmp_path / "a.tif", unit="furlong", spacing=1.5))
    assert image.source.scale == (1.5, 0.2, 0.2)
    assert image.source.units == ("pixel",) * 3
    assert "'furlong', which is no unit known here; the ratio" in image.warnings[0]
    write_labels(tmp_path / "m.nii", STACK.astype(np.uint8), image.source)
    header = nibabel.load(tmp_path / "m.nii").header
    np.testing.assert_allclose(header.get_zooms(), (0.2, 0.2, 1.5))
    assert header.get_xyzt_units()[0] == "unknown"


def test_negative_absent_and_zero_sizes(tmp_path):
    image = only(ome(tmp_path / "a.tif", X=-2, Z=0))
    assert image.source.scale == (2, 3, 2)  # as far apart as pixels are wide
    assert image.source.units == ("um",) * 3
    assert "minus sign is ignored" in image.warnings[0]
    assert "how far apart its slices are" in image.warnings[1]
    write_labels(tmp_path / "m.nrrd", STACK.astype(np.uint8), image.source)
    np.testing.assert_allclose(spacing_mm(tmp_path / "m.nrrd"), (2e-3, 3e-3, 2e-3))
    image = only(ome(tmp_path / "b.tif", X=None, Y=None, Z=None))
    assert (image.source.scale, image.source.units) == ((1, 1, 1), ())


def test_imagej_takes_a_missing_spacing_for_one(tmp_path):
    image = only(imagej(tmp_path / "a.tif", unit="um"))
    assert image.source.scale == (1, 0.2, 0.2)
    assert "as in ImageJ it is taken to be 1 um" in image.warnings[0]
    image = only(imagej(tmp_path / "b.tif", unit="um", spacing=-1.5))
    assert image.source.scale == (1.5, 0.2, 0.2)


@pytest.mark.parametrize(
    ("unit", "resolution", "size"),
    [(3, 25_000, 0.4), (2, 25_400, 1.0), (2, 72, None), (3, 300 / 2.54, None)],
)
def test_resolution_tags(tmp_path, unit, resolution, size):
    options = {"resolution": (resolution, resolution), "resolutionunit": unit}
    tifffile.imwrite(tmp_path / "a.tif", STACK[0], **options)
    source = only(tmp_path / "a.tif").source
    assert source.units == (("um", "um") if size else ())
    np.testing.assert_allclose(source.scale, (size or 1, size or 1))


@pytest.mark.parametrize(("code", "mm"), [(3, 1e-3), (1, 1e3), (2, 1), (0, 1)])
def test_units_of_nifti(tmp_path, code, mm):
    image = nibabel.Nifti1Image(STACK, np.diag([-10, -10, 25, 1]))
    image.header["xyzt_units"] = code
    nibabel.save(image, tmp_path / "a.nii")
    scan = only(tmp_path / "a.nii")
    assert read_image(tmp_path / "a.nii").pixel_size(0, 2) == (10 * mm, 25 * mm)
    for suffix in (".nrrd", ".mha", ".nii.gz"):
        write_labels(tmp_path / f"m{suffix}", np.array(scan.array), scan.source)
        sizes = spacing_mm(tmp_path / f"m{suffix}")
        np.testing.assert_allclose(sizes, np.array([10, 10, 25]) * mm, rtol=1e-5)


@pytest.mark.parametrize(
    "field", ['space units: "um" "um" "um"', 'units: "um" "um" "um"']
)
def test_units_of_nrrd(tmp_path, field):
    space = (
        "space: left-posterior-superior\nspace directions: (10,0,0) (0,10,0) (0,0,25)"
    )
    lines = ["NRRD0005", "type: uint8", "dimension: 3", "sizes: 2 2 2"]
    lines += [space if "space" in field else "spacings: 10 10 25"]
    text = "\n".join([*lines, field, "encoding: raw", "", ""])
    (tmp_path / "a.nrrd").write_bytes(text.encode() + bytes(8))
    np.testing.assert_allclose(
        only(tmp_path / "a.nrrd").source.scale, (25e-3, 0.01, 0.01)
    )
    odd = text.replace("um", "furlong")
    (tmp_path / "b.nrrd").write_bytes(odd.encode() + bytes(8))
    image = only(tmp_path / "b.nrrd")
    assert image.source.scale == (25, 10, 10)
    assert "'furlong'" in image.warnings[0]
