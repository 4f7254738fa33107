import pytest
import torch

from napari_simpleclick import networks
from napari_simpleclick.networks import CropPrompts
from tests.networks.vectors import fill_by_formula, image_and_prior

PLACES = ((0, 0), (100, 140), (128, 128), (255, 255))


def answer(network):
    image, prior = image_and_prior(256)
    asked = CropPrompts(prior, ((120.25, 130.5), (100, 140.75)), ((200.5, 60.25),))
    with torch.no_grad():
        return network(image, network.encode_prompt(asked)[0])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "ritm-hrnet18s",
            (0.174183, 0.917383, -0.228431, -0.037690, -0.292500, 4.209700),
        ),
        pytest.param(
            "ritm-hrnet18",
            (-492.4977, 140.6483, 111.348747, -589.852234, -572.910767, -85.790665),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_answers_are_those_of_the_released_code(name, expected):
    network = networks.build(name).eval()
    fill_by_formula(network)
    logits = answer(network)
    values = [logits.mean(), logits.std(), *(logits[0, 0, y, x] for y, x in PLACES)]
    torch.testing.assert_close(
        torch.stack(values), torch.tensor(expected), atol=1e-4, rtol=1e-3
    )


def test_the_coarse_answer_is_that_of_the_released_code():
    network = networks.build("ritm-hrnet18s").eval()
    fill_by_formula(network)
    coarse = []
    network.feature_extractor.aux_head.register_forward_hook(
        lambda module, given, result: coarse.append(result)
    )
    size = answer(network).shape[2:]
    large = torch.nn.functional.interpolate(
        coarse[0], size, mode="bilinear", align_corners=True
    )
    values = [large.mean(), large.std(), *(large[0, 0, y, x] for y, x in PLACES)]
    expected = (5.782301, 1.961357, -1.678930, 6.373966, 5.940930, -2.701920)
    torch.testing.assert_close(
        torch.stack(values), torch.tensor(expected), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize(
    ("name", "entries", "parameters"),
    [("ritm-hrnet18s", 929, 4_220_047), ("ritm-hrnet18", 1895, 10_032_019)],
)
def test_tensors_are_as_many_as_published(name, entries, parameters):
    with torch.device("meta"):
        network = networks.build(name)
    assert len(network.state_dict()) == entries
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_any_size_is_answered():
    network = networks.build("ritm-hrnet18s").eval()
    with torch.no_grad():
        logits = network(torch.rand(1, 3, 75, 101), torch.zeros(1, 3, 75, 101))
    assert logits.shape == (1, 1, 75, 101)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(
    "name",
    [
        "ritm-hrnet18s",
        "focalclick-hrnet18s-s1",
        "focalclick-hrnet18s-s2",
        pytest.param("ritm-hrnet18", marks=pytest.mark.slow),
        pytest.param("ritm-hrnet32", marks=pytest.mark.slow),
    ],
)
@torch.no_grad()
def test_folded_norms_change_nothing_but_rounding(name):
    network = networks.build(name).eval()
    fill_by_formula(network)
    folded = network.for_inference()
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
    one, other = answer(network), answer(folded)
    torch.testing.assert_close(other, one, atol=1e-4 * max(1, float(one.std())), rtol=0)
    image, prior = image_and_prior(256)
    if network.spec.refines:
        box = (40.3, 30.6, 180.2, 201.7)
        asked = CropPrompts(prior, ((128, 100), (60.5, 200.25)), ((230, 20),))
        prompt = network.encode_prompt(asked)[0]
        fine = [
            each.refine(
                image.flip(3),
                network.encode_focus(asked),
                *reversed(each.segment(each.encode(image), prompt)),
                box,
            )
            for each in (network, folded)
        ]
        torch.testing.assert_close(fine[1], fine[0], atol=1e-4, rtol=0)
