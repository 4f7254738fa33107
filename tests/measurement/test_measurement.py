import csv
import io
import json

import numpy as np
import pytest
import SimpleITK
import trimesh
from scipy.spatial.transform import Rotation
from skimage.measure import regionprops

from napari_simpleclick.errors import UserError
from napari_simpleclick.measurement import (
    feret_diameter,
    measure,
    object_rows,
    slice_diameters,
    slice_rows,
    surface_area,
    surface_mesh,
    to_csv,
    to_json,
    write_mesh,
)

ANISOTROPIC = (3.0, 1.0, 0.5)


def ellipsoid(radii, spacing, room=4):
    """Voxels of an ellipsoid with these half axes in mm."""
    axes = []
    for radius, size in zip(radii, spacing, strict=True):
        reach = int(radius / size) + room
        axes.append(np.arange(-reach, reach + 1) * size / radius)
    return sum(place**2 for place in np.meshgrid(*axes, indexing="ij")) <= 1


def itk_shapes(mask, spacing):
    image = SimpleITK.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing([float(size) for size in spacing[::-1]])
    shapes = SimpleITK.LabelShapeStatisticsImageFilter()
    shapes.ComputeFeretDiameterOn()
    shapes.Execute(image)
    return shapes


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), ANISOTROPIC])
def test_a_ball_has_the_measures_of_a_ball(spacing):
    radius = 21.0
    mask = ellipsoid((radius,) * 3, spacing)
    (ball,) = measure(mask.astype(np.uint16), spacing)
    assert ball.volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.01)
    assert ball.volume_ml == pytest.approx(ball.volume / 1000)
    assert ball.surface == pytest.approx(4 * np.pi * radius**2, rel=0.02)
    assert ball.feret == pytest.approx(2 * radius, abs=max(spacing))
    largest = ball.longest.diameters
    assert largest.longest == pytest.approx(2 * radius, abs=1)
    assert largest.across == pytest.approx(2 * radius, abs=1)
    middle = [(side - 1) / 2 for side in mask.shape]
    assert ball.centroid == pytest.approx(middle)
    assert ball.parts == 1


@pytest.mark.parametrize("radii", [(24, 12, 15), (9, 30, 12)])
def test_a_turned_ellipsoid_keeps_its_measures(radii):
    """Oblique to the voxels, and with oblong ones."""
    spacing, turn = (1.2, 0.6, 0.6), Rotation.from_euler("zyx", (30, 20, -40), True)
    axes = [np.arange(-36, 36.1, size) for size in spacing]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    mask = ((turn.apply(places.reshape(-1, 3)) / radii) ** 2).sum(axis=1) <= 1
    (found,) = measure(mask.reshape(places.shape[:3]), spacing)
    volume = 4 / 3 * np.pi * np.prod(radii)
    assert found.volume == pytest.approx(volume, rel=0.01)
    assert found.feret == pytest.approx(2 * max(radii), abs=max(spacing))
    (region,) = regionprops(mask.reshape(places.shape[:3]).astype(int), spacing=spacing)
    assert found.volume == pytest.approx(region.area)
    centre = [at * size for at, size in zip(found.centroid, spacing, strict=True)]
    assert centre == pytest.approx(region.centroid)


def test_what_touches_the_border_is_measured_up_to_it():
    ball = ellipsoid((15.0,) * 3, (1.0,) * 3, room=0)
    half = ball[15:]  # cut through the middle, as by the end of a scan
    (found,) = measure(half, (1.0, 1.0, 1.0))
    (region,) = regionprops(half.astype(int))
    assert found.voxels == region.area
    cap = np.pi * 15**2 * 0.5  # the middle slice reaches half a voxel beyond
    assert found.volume == pytest.approx(2 / 3 * np.pi * 15**3 + cap, rel=0.01)
    assert found.longest.index == 0
    assert found.longest.diameters.longest == pytest.approx(30, abs=1)


def test_a_slanted_ellipse_has_its_axes():
    rows, columns = np.mgrid[-60:61, -60:61] * 0.5
    along = (rows + columns) / np.sqrt(2)
    across = (rows - columns) / np.sqrt(2)
    mask = (along / 24) ** 2 + (across / 10) ** 2 <= 1
    found = slice_diameters(mask, (0.5, 0.5))
    assert found.longest == pytest.approx(48, abs=0.5)
    assert found.across == pytest.approx(20, abs=0.5)
    assert found.product == found.longest * found.across
    (a, b), (c, d) = found.longest_line
    assert abs(abs(c - a) - abs(d - b)) < 10  # along the diagonal
    (e, f), (g, h) = found.across_line
    dot = (c - a) * (g - e) + (d - b) * (h - f)
    assert dot == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("shape", [(1, 10), (10, 1), (1, 1), (2, 2)])
def test_the_thinnest_masks_reach_from_edge_to_edge(shape):
    mask = np.zeros((14, 14), bool)
    mask[2 : 2 + shape[0], 3 : 3 + shape[1]] = True
    found = slice_diameters(mask)
    assert found.longest == pytest.approx(np.hypot(*shape), abs=1)
    assert 0 < found.across <= found.longest
    border = np.ones(shape, bool)  # the image is no larger than the mask
    assert slice_diameters(border).longest == pytest.approx(found.longest)


def test_the_part_with_the_longest_diameter_counts():
    mask = np.zeros((40, 40), bool)
    mask[2:5, 2:5] = True
    mask[20:22, 5:35] = True
    assert slice_diameters(mask).longest == pytest.approx(30, abs=1)
    assert slice_diameters(np.zeros((5, 5), bool)) is None


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), ANISOTROPIC])
def test_measures_agree_with_itk(spacing):
    mask = ellipsoid((16, 9, 12), spacing)
    shapes = itk_shapes(mask, spacing)
    (found,) = measure(mask, spacing)
    assert found.volume == pytest.approx(shapes.GetPhysicalSize(1))
    assert found.feret == pytest.approx(shapes.GetFeretDiameter(1), abs=max(spacing))
    assert found.surface == pytest.approx(shapes.GetPerimeter(1), rel=1e-6)
    centre = [at * size for at, size in zip(found.centroid, spacing, strict=True)]
    assert centre[::-1] == pytest.approx(shapes.GetCentroid(1))


def test_objects_keep_apart_and_touch_the_border():
    labels = np.zeros((4, 20, 20), int)
    labels[:, :5, :5] = 7  # fills its corner of the volume
    labels[1, 10, 10], labels[1, 15, 15] = 2, 2
    two, seven = measure(labels, (2.0, 1.0, 1.0), names={7: "corner"})
    assert (two.label, two.parts, two.voxels) == (2, 2, 2)
    assert (seven.label, seven.name) == (7, "corner")
    assert seven.volume == 200
    assert [one.index for one in seven.slices] == [0, 1, 2, 3]
    assert [one.index for one in two.slices] == [1]
    assert seven.feret == pytest.approx(np.sqrt(8**2 + 4**2 + 4**2), abs=1)


def test_slices_follow_the_axis_that_is_asked_for():
    labels = np.zeros((6, 20, 30), int)
    labels[2:4, 5:9, 10:20] = 1
    (found,) = measure(labels, (3.0, 1.0, 0.5), axis=2)
    assert [one.index for one in found.slices] == list(range(10, 20))
    assert found.slices[0].area == 2 * 3.0 * 4 * 1.0
    line = found.slices[0].diameters.longest_line
    assert all(1 <= row <= 4 and 4 <= column <= 9 for row, column in line)


def test_places_and_intensities():
    labels = np.zeros((5, 5, 5), int)
    labels[1:3, 2, 2] = 1
    image = np.arange(125.0).reshape(5, 5, 5)
    image[1, 2, 2] = np.nan
    affine = np.array([[0, 0, -2, 10], [0, -2, 0, 20], [4, 0, 0, 5], [0, 0, 0, 1.0]])
    (found,) = measure(labels, (4.0, 2.0, 2.0), {"flair": image}, affine=affine)
    assert found.centroid == (1.5, 2, 2)
    assert found.place == (6, 16, 11)
    inside = found.intensities["flair"]
    assert (inside.mean, inside.median, inside.sd) == (62, 62, 0)


def test_without_a_spacing_all_is_in_pixels():
    labels = np.zeros((9, 9), np.uint8)
    labels[2:7, 3:6] = 3
    (found,) = measure(labels)
    (row,) = object_rows([found])
    assert row["pixels"] == 15
    assert row["area_px2"] == 15
    assert "volume_ml" not in row and "surface_px2" not in row
    assert row["longest_diameter_px"] == pytest.approx(np.hypot(5, 3), abs=1)


def test_tables_are_read_by_others():
    labels = np.zeros((3, 12, 12), int)
    labels[:2, 2:8, 2:8] = 1
    labels[2, 9, 9] = 4
    image = np.full(labels.shape, np.nan)
    objects = measure(labels, (1.0, 1.0, 1.0), {"t1": image}, names={1: "a, b"})
    first, second = csv.DictReader(io.StringIO(to_csv(object_rows(objects))))
    assert (first["object"], first["name"], first["voxels"]) == ("1", "a, b", "72")
    assert float(first["volume_ml"]) == pytest.approx(0.072)
    assert second["parts"] == "1"
    assert len(slice_rows(objects)) == 3
    assert json.loads(to_json(object_rows(objects)))[0]["t1_mean"] is None


@pytest.mark.parametrize("flip", [1, -1])
def test_a_mesh_lies_where_the_object_is(flip):
    spacing, radius = (2.0, 1.0, 1.0), 14.0
    mask = ellipsoid((radius,) * 3, spacing)
    affine = np.diag([*spacing, 1.0])
    affine[0, 0] *= flip
    affine[:3, 3] = 100, 200, 300
    mesh = surface_mesh(mask, affine)
    centre = [(side - 1) / 2 for side in mask.shape]
    expected = affine[:3, :3] @ centre + affine[:3, 3]
    np.testing.assert_allclose(mesh.vertices.mean(0), expected, atol=0.2)
    gap = np.linalg.norm(mesh.vertices - expected, axis=1)
    assert abs(gap - radius).max() < 1.5
    assert mesh.volume == pytest.approx(mask.sum() * 2, rel=0.02)


def test_a_single_voxel_has_a_surface():
    mask = np.zeros((3, 3, 3), bool)
    mask[1, 1, 1] = True
    mesh = surface_mesh(mask, np.eye(4))
    assert mesh.volume > 0
    assert surface_area(mask, (1.0, 1.0, 1.0)) > 0
    assert feret_diameter(mask, (1.0, 1.0, 1.0)) == pytest.approx(1)
    assert feret_diameter(np.zeros((3, 3, 3), bool), (1.0, 1.0, 1.0)) == 0


@pytest.mark.parametrize(
    ("labels", "spacing", "images", "sentence"),
    [
        (np.zeros((3, 3)) + 0.5, None, {}, "give labels"),
        (np.zeros((2, 3, 4, 5), int), None, {}, "a slice or a volume"),
        (np.full((3, 3), -1), None, {}, "whole numbers from 0"),
        (np.zeros((3, 3), int), (1.0, 1.0, 1.0), {}, "does not fit a mask of 2 axes"),
        (np.zeros((3, 3), int), (1.0, 0.0), {}, "a positive size for each"),
        (np.zeros((3, 3), int), None, {"t1": np.zeros((3, 4))}, "drawn on"),
    ],
)
def test_what_cannot_be_measured(labels, spacing, images, sentence):
    with pytest.raises(UserError, match=sentence):
        measure(labels, spacing, images)


def test_an_empty_object_has_no_surface():
    with pytest.raises(UserError, match="is empty and has no surface"):
        surface_mesh(np.zeros((3, 3, 3), bool), np.eye(4))


@pytest.mark.parametrize("suffix", [".stl", ".ply", ".obj"])
def test_meshes_are_read_by_others(tmp_path, suffix):
    mask = ellipsoid((8, 6, 5), (1.0, 1.0, 1.0))
    affine = np.eye(4)
    affine[:3, 3] = -40, 10, 7
    mesh = surface_mesh(mask, affine)
    write_mesh(tmp_path / f"object{suffix}", mesh)
    found = trimesh.load_mesh(tmp_path / f"object{suffix}")
    assert found.is_watertight
    assert found.volume == pytest.approx(mesh.volume, rel=1e-4)
    np.testing.assert_allclose(found.bounds[0], mesh.vertices.min(0), atol=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == [f"object{suffix}"]


def test_other_kinds_of_meshes_are_refused(tmp_path):
    mesh = surface_mesh(np.ones((3, 3, 3), bool), np.eye(4))
    with pytest.raises(UserError, match=r"use \.stl, \.ply, \.obj"):
        write_mesh(tmp_path / "object.vtk", mesh)


@pytest.mark.parametrize("high", [2**31 - 1, 2**63])
def test_labels_may_be_any_number(high):
    labels = np.zeros((4, 20, 30), np.uint64)
    labels[1:3, 5:9, 5:12] = high
    labels[3, 15:18, 20:25] = 7
    found = {one.label: one.voxels for one in measure(labels, names={7: "a"})}
    assert found == {7: 15, high: 56}


def test_a_mask_without_pixels_has_no_objects():
    assert measure(np.zeros((0, 5), int)) == []
