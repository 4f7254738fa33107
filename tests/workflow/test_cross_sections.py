"""Slices across the displayed one: what is read, and how it looks."""

import dask.array as da
import numpy as np
import pytest

from napari_simpleclick.errors import UserError
from napari_simpleclick.plugin.layers.cross_sections import (
    Across,
    Look,
    fitted,
    flips,
    grey_or_colour,
    image_piece,
    painted,
)


def across(canvas, at=(), axis=0):
    return Across.through(canvas, dict(at), axis)


def test_the_two_planes_cut_the_displayed_slice_in_the_point(open_image):
    volume = np.arange(6 * 8 * 10, dtype=np.uint16).reshape(6, 8, 10)
    person = open_image(volume)
    person.go(4)
    here = across(person.canvas, {1: 3, 2: 7})
    assert here.point == (4, 3, 7)
    coronal, sagittal = (image_piece(person.canvas, one).read() for one in here.planes)
    np.testing.assert_array_equal(coronal, volume[:, 3])
    np.testing.assert_array_equal(sagittal, volume[:, :, 7])
    assert across(person.canvas).point == (4, 3.5, 4.5)


def test_only_the_slice_is_read_of_a_lazy_volume(open_image):
    read = []

    def block(block_info=None):
        place = block_info[None]["chunk-location"]
        read.append(place)
        return np.zeros((4, 4, 4), np.uint8)

    lazy = da.map_blocks(block, chunks=((4,) * 3,) * 3, dtype=np.uint8)
    person = open_image(lazy, contrast_limits=(0, 1))
    here = across(person.canvas, {1: 5, 2: 9})
    read.clear()
    piece = image_piece(person.canvas, here.planes[0])
    assert piece.source is lazy
    assert read == []
    piece.read()
    assert {place[1] for place in read} == {1}
    assert len(read) == 9


def test_what_would_read_a_whole_file_is_not_read(open_image):
    lazy = da.zeros((4000, 900, 900), chunks=(1, 900, 900), dtype=np.uint8)
    person = open_image(lazy, contrast_limits=(0, 1))
    with pytest.raises(UserError, match=r"3\.0 GB of the image would be read"):
        image_piece(person.canvas, across(person.canvas).planes[0])


def test_a_smaller_level_is_enough(open_image):
    levels = [np.zeros((40, 1200 // k, 1200 // k), np.uint8) for k in (1, 2, 4)]
    person = open_image(levels, multiscale=True, contrast_limits=(0, 1))
    piece = image_piece(person.canvas, across(person.canvas, {1: 800}).planes[0])
    assert piece.source is levels[1]
    assert piece.where[1] == 400


def test_pixels_have_the_aspect_and_the_way_up_of_the_window(open_image):
    look = {"scale": (5, -1, 1), "units": ("mm", "mm", "mm")}
    person = open_image(np.zeros((10, 50, 100), np.uint8), **look)
    coronal, sagittal = across(person.canvas).planes
    assert fitted(coronal, person.canvas, (100, 100)) == (50, 100)
    assert fitted(sagittal, person.canvas, (100, 100)) == (100, 100)
    assert flips(person.canvas, coronal) == (False, False)
    assert flips(person.canvas, sagittal) == (False, True)


def test_a_picture_has_outlines_and_the_layer_s_contrast(open_image):
    person = open_image(np.full((4, 40, 40), 50, np.uint8), contrast_limits=(0, 100))
    grey = grey_or_colour(person.canvas, person.canvas.image.data[0])
    assert set(np.unique(grey)) == {128}
    labels = np.zeros((40, 40), np.uint8)
    labels[10:30, 5:20] = 3
    picture = painted(grey, labels, Look((80, 80), (True, False), {3: (255, 0, 0)}))
    red = (picture == (255, 0, 0)).all(axis=2)
    assert red[20:60, 10].all()
    assert red[20, 10:40].all()
    assert not red[25:55, 15:35].any()
    assert not red[70:].any()
