import pytest
import torch

from napari_simpleclick import networks
from napari_simpleclick.networks import CropPrompts
from tests.networks.vectors import fill_by_formula, image_and_prior

PLACES = ((0, 0), (100, 140), (128, 128), (255, 255))

# Per network: mean, std and four values of the logits; mean and std of the maps for the
# refiner; as for the logits, of those on the focus crop and of the refined ones; mean
# and std of the boundary logits.
VECTORS = {
    "focalclick-hrnet18s-s2": (
        (0.174183, 0.917383, -0.228431, -0.037690, -0.292500, 4.209700),
        (3.735879, 5.726815),
        (0.347321, 0.497666, -0.057882, 0.269088, -0.048590, -0.155008),
        (0.416024, 0.366238, 0.007050, 0.390413, 0.204962, -0.434971),
        (-0.511785, 0.330637),
    ),
    "focalclick-hrnet18s-s1": (
        (0.582368, 1.159956, -0.512819, 0.600713, 1.513782, 3.537957),
        (3.243196, 4.936191),
        (1.031394, 0.667027, -0.030347, 0.873669, 1.315107, 1.754782),
        (0.941427, 0.471516, 0.090726, 0.748221, 1.010150, -0.240609),
        (-0.593346, 0.309510),
    ),
    "focalclick-segformer-b0-s2": (
        (-0.802782, 0.161892, -0.185387, -0.766195, -0.755791, -0.718428),
        (0.478061, 0.647750),
        (-0.839240, 0.144544, -0.927616, -0.862615, -0.988684, -0.540206),
        (-0.387433, 0.076093, -0.446650, -0.401818, -0.475570, -0.257039),
        (-0.036114, 0.024504),
    ),
    "focalclick-segformer-b0-s1": (
        (-0.846961, 0.248763, -0.155849, -1.001866, -1.169175, -1.281626),
        (0.463315, 0.624063),
        (-0.892318, 0.234206, -0.814997, -1.028853, -1.154671, -0.725393),
        (-0.413154, 0.116201, -0.394532, -0.499685, -0.557541, -0.334758),
        (-0.021365, 0.031445),
    ),
    "focalclick-hrnet32-s2": (
        (-52.024994, 153.973099, 45.883778, -271.814606, -260.755493, 353.205597),
        (301.499, 418.223),
        (-186.5127, 79.9272, 87.320198, -259.165344, -230.631561, -195.940903),
        (-184.1051, 82.5540, 87.320198, -259.165344, -230.631561, -13.009270),
        (-46.1234, 10.0034),
    ),
    "focalclick-segformer-b3-s2": (
        (-0.665340, 0.337601, -0.241387, -0.298027, 0.011151, -0.194305),
        (0.423653, 0.607747),
        (-0.678881, 0.324592, -0.844192, -0.750997, -0.569645, -0.239199),
        (-0.261747, 0.161542, -0.403421, -0.305762, -0.196812, -0.090607),
        (-0.066558, 0.035298),
    ),
}
LARGE = {"focalclick-hrnet32-s2": 1e-3, "focalclick-segformer-b3-s2": 1e-4}
"""Slow ones, and how far their values may be off relative to their size."""

COUNTS = {  # entries, parameters, those of the refiner
    "focalclick-hrnet18s-s1": (983, 4_231_377, 11_330),
    "focalclick-hrnet18s-s2": (983, 4_231_377, 11_330),
    "focalclick-hrnet32-s2": (1949, 30_967_813, 16_450),
    "focalclick-segformer-b0-s1": (257, 3_740_773, 16_483),
    "focalclick-segformer-b0-s2": (257, 3_740_773, 16_483),
    "focalclick-segformer-b3-s2": (653, 45_687_941, 24_675),
}


def summary(maps, places=PLACES):
    values = [maps.mean(), maps.std(), *(maps[0, 0, y, x] for y, x in places)]
    return torch.stack([torch.as_tensor(value) for value in values])


def prompts(prior, positive, negative=()):
    return CropPrompts(prior, tuple(positive), tuple(negative))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else [])
        for name in VECTORS
    ],
)
def test_answers_are_those_of_the_released_code(name):
    network = networks.build(name).eval()
    fill_by_formula(network)
    image, prior = image_and_prior(256)
    asked = prompts(prior, [(120.25, 130.5), (100, 140.75)], [(200.5, 60.25)])
    close = prompts(prior, [(128, 100), (60.5, 200.25)], [(230, 20)])
    box = torch.tensor([[0, 40.3, 30.6, 180.2, 201.7]])
    with torch.no_grad():
        prompt, memory = network.encode_prompt(asked)
        logits, maps = network.segment(network.encode(image), prompt)
        focus = network.encode_focus(close)
        fine = network.refinement(image.flip(3), focus, maps, logits, box)
        torch.testing.assert_close(network(image, prompt), logits)
        refined = network.refine(image.flip(3), focus, maps, logits, box[0, 1:])
        torch.testing.assert_close(refined, fine.logits)
    assert memory is None
    found = (
        summary(logits),
        summary(maps, ()),
        summary(fine.coarse),
        summary(fine.logits),
        summary(fine.boundary, ()),
    )
    for numbers, expected in zip(found, VECTORS[name], strict=True):
        torch.testing.assert_close(
            numbers, torch.tensor(expected), atol=1e-4, rtol=LARGE.get(name, 0)
        )


@pytest.mark.parametrize("name", COUNTS)
def test_tensors_are_as_many_as_published(name):
    entries, parameters, refiner = COUNTS[name]
    with torch.device("meta"):
        network = networks.build(name)
    assert len(network.state_dict()) == entries
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert sum(p.numel() for p in network.refiner.parameters()) == refiner


def test_disks_are_smaller_where_the_segmentor_halves_its_input():
    prior = torch.zeros(1, 1, 64, 64)
    asked = prompts(prior, [(32, 32)])
    areas = {}
    for name in VECTORS:
        with torch.device("meta"):
            network = networks.build(name)
        areas[name] = int(network.encode_prompt(asked)[0].sum())
        assert network.encode_focus(asked).sum() == 81
    assert areas["focalclick-hrnet18s-s1"] == 13
    assert areas["focalclick-segformer-b0-s1"] == 29
    assert areas["focalclick-segformer-b3-s2"] == 81
