"""OME-Zarr 0.4 and 0.5, against stores that ome-zarr-py writes and reads."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_simpleclick import UserError, read_image
from napari_simpleclick.cli import app
from napari_simpleclick.exports import export, kind_of, read_case
from napari_simpleclick.images import viewer_images
from napari_simpleclick.images.files import read_images, write_labels
from napari_simpleclick.images.label_names import LabelName, read_label_names
from napari_simpleclick.images.lazy_array import LazyArray
from napari_simpleclick.images.source import Source
from napari_simpleclick.images.viewer_images import open_layers
from napari_simpleclick.plugin.files import get_reader, layer_data, read_layers
from napari_simpleclick.samples import sample_path

zarr = pytest.importorskip("zarr")
ome_io = pytest.importorskip("ome_zarr.io")
ome_format = pytest.importorskip("ome_zarr.format")
ome_writer = pytest.importorskip("ome_zarr.writer")
ome_reader = pytest.importorskip("ome_zarr.reader")

SPACE = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
CHANNEL = {"name": "c", "type": "channel"}
TIME = {"name": "t", "type": "time", "unit": "second"}
FORMATS = {"0.4": ome_format.FormatV04(), "0.5": ome_format.FormatV05()}
SIZE = (2.0, 0.5, 0.25)

both = pytest.mark.parametrize("version", ["0.4", "0.5"])


def cells():
    labels = np.zeros((5, 300, 400), np.uint8)
    labels[2, 50:90, 60:100] = 3
    labels[1:4, 200:260, 10:90] = 7
    return labels


def steps(axes, levels):
    before = [1.0] * (len(axes) - 3)
    return [
        [{"type": "scale", "scale": [*before, SIZE[0], *(s * 2**n for s in SIZE[1:])]}]
        for n in range(levels)
    ]


def store(path, version, axes=(CHANNEL, *SPACE), with_labels=True):
    """Write a store with ome-zarr-py."""
    form = FORMATS[version]
    place = ome_io.parse_url(str(path), mode="w", fmt=form)
    group = zarr.open_group(place.store, mode="w", zarr_format=form.zarr_format)
    first = {4: (2,), 5: (3, 2), 3: ()}[len(axes)]
    random = np.random.default_rng(0)
    data = random.integers(0, 1000, (*first, 5, 300, 400)).astype(np.uint16)
    ome_writer.write_image(
        data,
        group,
        fmt=form,
        axes=list(axes),
        coordinate_transformations=steps(axes, 5),
    )
    if with_labels:
        ome_writer.write_labels(
            cells(),
            group,
            "cells",
            fmt=form,
            axes=SPACE,
            coordinate_transformations=steps(SPACE, 5),
            label_metadata={
                "colors": [{"label-value": 3, "rgba": [16, 32, 48, 255]}],
                "properties": [{"label-value": 3, "name": "nucleus", "class": "part"}],
            },
        )
    return data


# -- reading ---------------------------------------------------------------------------


@both
def test_a_store_of_ome_zarr_py_is_read(tmp_path, version):
    path = tmp_path / "embryo.ome.zarr"
    data = store(path, version)
    image = read_image(path)
    assert image.name == "embryo"
    assert image.axis_labels == ("channel", "z", "y", "x")
    assert image.spacing == (1, *SIZE)
    assert image.units == ("pixel", "um", "um", "um")
    assert isinstance(image.array, LazyArray)
    np.testing.assert_array_equal(image.array[1, 2, 10:20], data[1, 2, 10:20])
    np.testing.assert_array_equal(image.array[..., ::7], data[..., ::7])
    assert [one.shape[-2:] for one in image.levels] == [
        (150, 200),
        (75, 100),
        (37, 50),
        (18, 25),
    ]
    assert not image.warnings


@both
def test_only_what_is_looked_at_is_read(tmp_path, version):
    """All other chunks can be gone."""
    path = tmp_path / "embryo.ome.zarr"
    data = store(path, version, with_labels=False)
    (opened,) = open_layers(path)
    for chunk in sorted((path / "0").rglob("*")):
        if chunk.is_file() and not chunk.name.startswith((".z", "zarr")):
            data_file = chunk
            break
    shutil.copy(data_file, tmp_path / "kept")
    data_file.write_bytes(b"damaged")
    with pytest.raises(UserError, match="cannot be read"):
        np.asarray(opened.array[0, 0])
    shutil.copy(tmp_path / "kept", data_file)
    np.testing.assert_array_equal(opened.array[0, 0], data[0, 0])


@both
def test_a_viewer_shows_a_pyramid_with_units_and_labels(tmp_path, version):
    from napari.components import ViewerModel
    from napari.layers import Layer

    path = tmp_path / "embryo.ome.zarr"
    data = store(path, version)
    assert get_reader(str(path)) is not None
    viewer = ViewerModel()
    for layer in read_layers(str(path)):
        viewer.add_layer(Layer.create(*layer))
    image, labels = viewer.layers
    assert image.multiscale
    assert len(image.data) == 5
    assert labels.name == "cells"
    assert tuple(map(str, image.units[1:])) == ("micrometer",) * 3
    np.testing.assert_allclose(image.scale, (1, *SIZE))
    np.testing.assert_allclose(labels.scale, SIZE)
    np.testing.assert_array_equal(labels.data, cells())
    np.testing.assert_array_equal(image.data[0][0, 2], data[0, 2])
    assert list(labels.features["name"]) == ["nucleus"]


def test_times_and_the_images_of_bioformats2raw(tmp_path):
    path = tmp_path / "film.zarr"
    path.mkdir()
    (path / ".zattrs").write_text(json.dumps({"bioformats2raw.layout": 3}))
    (path / ".zgroup").write_text(json.dumps({"zarr_format": 2}))
    data = store(path / "0", "0.4", (TIME, CHANNEL, *SPACE), with_labels=False)
    store(path / "1", "0.4", SPACE, with_labels=False)
    first, second = read_images(path)
    assert (first.name, second.name) == ("film 0", "film 1")
    assert first.axis_labels == ("time", "channel", "z", "y", "x")
    np.testing.assert_array_equal(first.array[2, 1, 3], data[2, 1, 3])


def test_a_translation_is_kept(tmp_path):
    path = tmp_path / "part.zarr"
    store(path, "0.4", SPACE, with_labels=False)
    about = json.loads((path / ".zattrs").read_text())
    moved = {"type": "translation", "translation": [4.0, 10.0, -3.0]}
    about["multiscales"][0]["datasets"][0]["coordinateTransformations"].append(moved)
    about["multiscales"][0]["coordinateTransformations"] = [
        {"type": "scale", "scale": [1, 2, 2]}
    ]
    (path / ".zattrs").write_text(json.dumps(about))
    (opened,) = open_layers(path)
    assert opened.source.scale == (2.0, 1.0, 0.5)
    assert opened.source.translate == (4.0, 20.0, -6.0)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda about: about.update(version="0.9"), "newer than what is read here"),
        (lambda about: about.pop("datasets"), "says nothing valid"),
        (lambda about: about["axes"].pop(), "transformations have another number"),
        (lambda about: about["datasets"][0].update(path="9"), "cannot be read"),
    ],
)
def test_what_is_wrong_with_a_store_is_said(tmp_path, edit, said):
    path = tmp_path / "a.zarr"
    store(path, "0.4", SPACE, with_labels=False)
    about = json.loads((path / ".zattrs").read_text())
    edit(about["multiscales"][0])
    (path / ".zattrs").write_text(json.dumps(about))
    with pytest.raises(UserError, match=said):
        read_image(path)


def test_labels_that_are_gone_or_too_large_are_left_out(tmp_path, monkeypatch):
    path = tmp_path / "a.zarr"
    store(path, "0.4")
    monkeypatch.setattr(viewer_images, "fits_memory", lambda _: True)
    monkeypatch.setattr(
        "napari_simpleclick.images.formats.ome_zarr.fits_memory", lambda _: False
    )
    (image,) = read_images(path)
    assert "do not fit into memory" in image.warnings[0]
    shutil.rmtree(path / "labels" / "cells")
    (image,) = read_images(path)
    assert "lists the labels 'cells', which are gone" in image.warnings[0]


def test_a_plate_is_refused(tmp_path):
    (tmp_path / "p.zarr").mkdir()
    (tmp_path / "p.zarr" / ".zattrs").write_text('{"plate": {}}')
    with pytest.raises(UserError, match="is a plate; open one of its fields"):
        read_image(tmp_path / "p.zarr")


# -- writing ---------------------------------------------------------------------------

NAMES = (LabelName(3, "nucleus", "#102030", "part"), LabelName(7, "axon", "#0000ff"))


def nodes(path):
    """Read a store with ome-zarr-py: the image, then its labels."""
    return list(ome_reader.Reader(ome_io.parse_url(str(path)))())


@both
def test_labels_go_into_their_image(tmp_path, version):
    path = tmp_path / "embryo.ome.zarr"
    store(path, version)
    drawn = cells()
    drawn[0, :20, :30] = 9
    mask = tmp_path / "mask.tif"
    (opened, _) = open_layers(path)
    plain = opened.source.of_mask(4, 0)
    write_labels(mask, drawn[None], plain, NAMES)
    case = read_case(mask, path, lambda _: None)
    export(case, kind_of("ome-zarr"), path / "labels" / "drawn")
    found = nodes(path)
    (labels,) = [node for node in found if node.metadata.get("name") == "drawn"]
    np.testing.assert_array_equal(np.asarray(labels.data[0]).squeeze(), drawn)
    shapes = [tuple(one.shape[-3:]) for one in labels.data]
    assert shapes == [tuple(one.shape[-3:]) for one in found[0].data]
    assert {3, 7} <= set(np.unique(np.asarray(labels.data[1])))
    names = {one.label: one for one in read_label_names(path / "labels" / "drawn")}
    assert names[3] == NAMES[0]
    assert names[7] == NAMES[1]
    assert names[9].name == "label 9"
    _, *layers = open_layers(path)
    assert [one.name for one in layers] == ["cells", "drawn"]
    assert layers[1].source.scale == SIZE
    np.testing.assert_array_equal(layers[1].array, drawn)


@both
def test_labels_are_replaced_only_if_asked(tmp_path, version):
    path = tmp_path / "embryo.ome.zarr"
    store(path, version)
    case = read_case(path / "labels" / "cells", path, lambda _: None)
    target = path / "labels" / "cells"
    with pytest.raises(UserError, match="is there already"):
        export(case, kind_of("ome-zarr"), target)
    export(case, kind_of("ome-zarr"), path)
    export(case, kind_of("ome-zarr"), path, replace=True)
    assert [one.name for one in read_images(path)] == ["embryo", "cells", "mask"]
    hidden = {one.name for one in (path / "labels").glob(".*")}
    assert hidden <= {".zattrs", ".zgroup"}
    again = read_case(path / "labels" / "mask", path, lambda _: None)
    np.testing.assert_array_equal(again.labels, cells())


def test_labels_that_cannot_be_replaced_stay(tmp_path, monkeypatch):
    path = tmp_path / "embryo.ome.zarr"
    store(path, "0.5")
    case = read_case(path / "labels" / "cells", path, lambda _: None)
    export(case, kind_of("ome-zarr"), path)
    rename = Path.rename

    def refuse(self, target):
        if self.name.endswith("-new-mask"):
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(UserError, match="Permission denied"):
        export(case, kind_of("ome-zarr"), path, replace=True)
    again = read_case(path / "labels" / "mask", path, lambda _: None)
    np.testing.assert_array_equal(again.labels, cells())


def test_another_folder_is_not_taken_for_a_store(tmp_path):
    path = tmp_path / "embryo.ome.zarr"
    store(path, "0.5")
    case = read_case(path / "labels" / "cells", path, lambda _: None)
    other = tmp_path / "mine.ome.zarr"
    other.mkdir()
    with pytest.raises(UserError, match="is there already and no OME-Zarr image"):
        export(case, kind_of("ome-zarr"), other, replace=True)


def test_the_mask_of_another_image_is_refused(tmp_path):
    store(tmp_path / "a.zarr", "0.5")
    scan = sample_path("em.tif")
    write_labels(tmp_path / "m.tif", np.ones((5, 250, 250), np.uint8))
    case = read_case(tmp_path / "m.tif", scan, lambda _: None)
    with pytest.raises(UserError, match=r"has the shape \(5, 250, 250\)"):
        export(case, kind_of("ome-zarr"), tmp_path / "a.zarr")


def test_an_image_of_another_format_gets_a_store_of_its_own(tmp_path):
    path = tmp_path / "hippocampus.ome.zarr"
    words = [
        str(sample_path("hippocampus-labels.nii.gz")),
        *("--image", str(sample_path("hippocampus.nii.gz"))),
        *("-f", "ome-zarr", "-o", str(path)),
    ]
    done = CliRunner().invoke(app, ["export", *words])
    assert done.exit_code == 0, done.output
    scan = read_image(sample_path("hippocampus.nii.gz"))
    source = Source.of_file(scan)
    image, labels = nodes(path)[0], nodes(path)[-1]
    assert [axis["name"] for axis in image.metadata["axes"]] == list("zyx")
    assert [axis["unit"] for axis in image.metadata["axes"]] == ["millimeter"] * 3
    shown = np.asarray(source.to_layer(scan.array))
    np.testing.assert_array_equal(np.asarray(image.data[0]), shown)
    truth = read_image(sample_path("hippocampus-labels.nii.gz"))
    drawn = np.asarray(Source.of_file(truth).to_layer(truth.array))
    np.testing.assert_array_equal(np.asarray(labels.data[0]), drawn)
    opened, layer = (layer_data(one)[1] for one in open_layers(path))
    np.testing.assert_allclose(opened["scale"], source.scale)
    np.testing.assert_allclose(opened["translate"], source.translate)
    np.testing.assert_allclose(layer["translate"], source.translate)
    again = CliRunner().invoke(app, ["export", *words])
    assert again.exit_code == 2
    assert "--replace" not in words
    assert CliRunner().invoke(app, ["export", *words, "--replace"]).exit_code == 0


def test_large_pictures_get_smaller_sizes_and_channels_an_axis(tmp_path):
    from napari_simpleclick.exports import ExportCase

    picture = np.random.default_rng(0).integers(0, 255, (301, 700, 3)).astype(np.uint8)
    labels = np.zeros((301, 700), np.uint8)
    labels[10:90, 300:420] = 2
    source = Source.of_layer(labels.shape, (0.5, 0.5), (0.0, 0.0), ("um", "um"))
    case = ExportCase.of_layers("cells", labels, source, (), picture, rgb=True)
    export(case, kind_of("ome-zarr"), tmp_path / "cells.ome.zarr")
    image, *_, found = nodes(tmp_path / "cells.ome.zarr")
    assert [one.shape for one in image.data] == [
        (3, 301, 700),
        (3, 150, 350),
        (3, 75, 175),
    ]
    np.testing.assert_array_equal(np.asarray(image.data[0])[2], picture[..., 2])
    np.testing.assert_array_equal(np.asarray(found.data[0]), labels)
    scales = [one[0]["scale"] for one in image.metadata["coordinateTransformations"]]
    assert scales[1] == [1.0, 1.0, 1.0]


# -- commands --------------------------------------------------------------------------


def test_a_slice_is_segmented_from_the_command_line(tmp_path):
    path = tmp_path / "cells.ome.zarr"
    form = FORMATS["0.5"]
    place = ome_io.parse_url(str(path), mode="w", fmt=form)
    group = zarr.open_group(place.store, mode="w", zarr_format=form.zarr_format)
    stack = np.asarray(read_image(sample_path("em.tif")).array)
    ome_writer.write_image(stack, group, fmt=form, axes=SPACE)
    words = ["segment", str(path), "--axis", "0", "--slice", "2", "--click", "150,155"]
    out = tmp_path / "mask.tif"
    done = CliRunner().invoke(app, [*words, "-o", str(out)])
    assert done.exit_code == 0, done.output
    mask = np.asarray(read_image(out).array)
    assert mask.shape == stack.shape
    assert mask[2].any()
    assert not mask[1].any()
