import pytest
import torch

from napari_simpleclick import networks
from napari_simpleclick.networks import CropPrompts, draw_disks
from napari_simpleclick.networks.mst.tokens import resized_kernel, resized_positions
from tests.networks.vectors import fill_by_formula, image_and_prior

POINTS = torch.tensor([[[180.25, 200.5], [100, 140.75], [30.5, 60.25], [-1, -1]]])
REDUCED = {"width": 96, "heads": 4, "pyramid": (24, 48, 96, 192), "head": 32}

# Logits: mean, std, values at (0, 0), (100, 140), (180, 200) and the last pixel. Per
# score block: mean and std of the small scores and the best three, likewise large.
VECTORS = {
    "mst-main": (
        (-0.165227, 0.086372, -0.244209, -0.136306, -0.201902, -0.317200),
        (
            (0.552480, 0.182182, [881, 2544, 2254], 0.559370, 0.148817, [19, 29, 52]),
            (0.573166, 0.143719, [2280, 93, 2722], 0.547025, 0.116269, [52, 29, 72]),
            (0.538866, 0.093292, [2722, 1852, 1796], 0.525791, 0.077621, [52, 72, 5]),
        ),
        (196, 12),
    ),
    "mst-448": (
        (-0.202110, 0.086944, -0.093093, -0.192188, -0.315395, -0.321250),
        (
            (0.561872, 0.177721, [2254, 2544, 2046], 0.562162, 0.146369, [19, 29, 76]),
            (0.532902, 0.135341, [1908, 1228, 1700], 0.537512, 0.106595, [52, 19, 29]),
            (0.511355, 0.097203, [1796, 1852, 2666], 0.499021, 0.083901, [52, 72, 152]),
        ),
        (392, 24),
    ),
    "mst-224": (
        (-0.231674, 0.078866, -0.233666, -0.215642, -0.191013, -0.546780),
        (
            (0.607564, 0.209886, [161, 189, 133], 0.606154, 0.193798, [12, 15, 41]),
            (0.549991, 0.110672, [161, 133, 104], 0.569062, 0.093716, [37, 12, 15]),
            (0.482710, 0.071027, [653, 105, 625], 0.487643, 0.059287, [37, 44, 5]),
        ),
        (98, 6),
    ),
}


def near(found, expected):
    numbers = torch.stack([torch.as_tensor(value) for value in found])
    torch.testing.assert_close(numbers, torch.tensor(expected), atol=1e-4, rtol=0)


def built(name):
    network = networks.build(name, **REDUCED).eval()
    fill_by_formula(network)
    return network


@pytest.mark.parametrize("name", VECTORS)
def test_answers_are_those_of_the_released_code(name):
    network = built(name)
    side = network.spec.image_size[0]
    image, prior = image_and_prior(side)
    maps = torch.cat([prior, draw_disks(POINTS, (side, side))], 1)
    expected, blocks, selected = VECTORS[name]
    with torch.no_grad():
        logits = network(image, maps, points=POINTS)
        again, *_, found = network.attempt(network.encode(image), (maps, POINTS))
    torch.testing.assert_close(again, logits)
    places = ((0, 0), (100, 140), (180, 200), (-1, -1))
    near(
        (logits.mean(), logits.std(), *(logits[0, 0, y, x] for y, x in places)),
        expected,
    )
    for scales, (mean, std, best, large_mean, large_std, large_best) in zip(
        found, blocks, strict=True
    ):
        near(
            [
                part
                for scale in scales
                for part in (scale.scores.mean(), scale.scores.std())
            ],
            (mean, std, large_mean, large_std),
        )
        assert [s.indices[0, :3].tolist() for s in scales] == [best, large_best]
        assert tuple(s.indices.shape[1] for s in scales) == selected
    if name == "mst-448":
        assert found[2][0].valid.sum() == 382


def test_tokens_of_other_sizes_are_those_of_the_released_code():
    network = built("mst-main")
    kernel = network.backbone.patch_embed.proj.weight.detach()
    for side, mean, std, first in (
        (8, -0.000326, 0.093585, (0.0040584, -0.0443971, 0.0512300)),
        (32, -0.000024, 0.011690, (0.0130529, 0.0124070, 0.0110518)),
    ):
        other = resized_kernel(kernel, side)
        assert other.shape == (96, 3, side, side)
        near((other.mean(), other.std(), *other.flatten()[:3]), (mean, std, *first))
    embedding = network.backbone.pos_embed.detach()
    for side, mean, std, first in (
        (56, 0.000120, 0.047285, (0.0292930, -0.0705678, -0.0645422)),
        (14, 0.000139, 0.023759, (0.0111373, -0.0044264, -0.0494835)),
    ):
        other = resized_positions(embedding, (28, 28), (side, side))
        near((other.mean(), other.std(), *other.flatten()[:3]), (mean, std, *first))


@pytest.mark.parametrize(
    ("name", "entries", "parameters"),
    [
        ("mst-main", 319, 155_523_521),
        ("mst-448", 334, 201_564_353),
        ("mst-224", 322, 161_226_369),
    ],
)
def test_tensors_are_as_many_as_published(name, entries, parameters):
    with torch.device("meta"):
        network = networks.build(name)
    assert len(network.state_dict()) == entries
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert not any("up_conv" in key for key in network.state_dict())


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return networks.build("mst-main", 128, **REDUCED, depth=4).eval()


def test_prompts_hold_the_clicks_on_the_crop(small):
    prior = torch.zeros(1, 1, 128, 128)
    prompts = CropPrompts(prior, ((20, 30.5), (60, -2)), ((5, 5), (7, 8), (300, 5)))
    (maps, points), memory = small.encode_prompt(prompts)
    assert memory is None
    assert points.shape == (1, 48, 2)  # the same for all samples of a batch
    positive, negative = (half[(half >= 0).all(1)] for half in points[0].split(24))
    assert positive.tolist() == [[20, 30.5]]
    assert negative.tolist() == [[5, 5], [7, 8]]
    assert maps[0, 1, 60].sum() == 0
    mirrored, flipped = small.flip_prompt((maps, points))
    assert flipped[0, :2].tolist() == [[20, 96.5], [-1, -1]]
    assert torch.equal(mirrored, maps.flip(3))


def test_only_positive_clicks_on_the_image_choose_tokens(small):
    image, maps = torch.rand(2, 3, 128, 128), torch.rand(2, 3, 128, 128)
    nowhere = torch.tensor([[[-1.0, -1], [-1, -1]], [[-1, -1], [20, 20]]])
    here = torch.tensor([[[-1.0, -1], [-1, -1]], [[30, 30], [-1, -1]]])
    with torch.no_grad():
        features = small.encode(image)
        plain, *_, none = small.attempt(features, maps)
        negative = small.decode(features, (maps, nowhere))
        clicked, *_, found = small.attempt(features, (maps, here))
        alone = small(image[1:], maps[1:], points=here[1:])
    assert none[0][0].scores.abs().sum() == 0
    assert not none[0][0].tokens.any()
    torch.testing.assert_close(negative, plain)
    torch.testing.assert_close(clicked[0], plain[0])
    assert not torch.allclose(clicked[1], plain[1], atol=1e-5)
    assert found[0][0].scores[1].min() > 0
    torch.testing.assert_close(clicked[1:], alone, atol=1e-5, rtol=1e-4)


def test_the_gradient_passes_through_the_scores(small):
    image, maps = torch.rand(2, 1, 3, 128, 128)
    points = torch.tensor([[[30.0, 30], [-1, -1]]])
    small.zero_grad()
    small(image, maps, points=points).sum().backward()
    weight = small.backbone.blocks[3].score.cross_mlp.fc2.weight
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0


def test_other_sizes(small):
    points = torch.tensor([[[30.0, 30], [-1, -1]]])
    with torch.no_grad():
        logits = small(torch.rand(1, 3, 64, 160), torch.zeros(1, 3, 64, 160), points)
    assert logits.shape == (1, 1, 64, 160)
    assert torch.isfinite(logits).all()
    with pytest.raises(ValueError, match="not a multiple of 32 px"):
        small(torch.rand(1, 3, 64, 48), torch.zeros(1, 3, 64, 48))
    other = networks.build("mst-main", 128, **REDUCED, depth=4)
    other.resize((224, 160))
    assert other.backbone.pos_embed.shape == (1, 141, 96)
    assert other.spec.image_size == (224, 160)
