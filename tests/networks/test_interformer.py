import numpy as np
import pytest
import torch

from napari_simpleclick import networks
from napari_simpleclick.networks import CropPrompts
from napari_simpleclick.networks.interformer.click_map import box_around, snapped
from tests.networks.vectors import fill_by_formula, image_and_prior


def codes(height, width):
    result = torch.full((1, height, width), 2, dtype=torch.int64)
    for rows, columns, code in (
        (slice(60, 140), slice(90, 200), 3),
        (slice(150, 220), slice(20, 120), 1),
        (slice(95, 106), slice(140, 151), 4),
        (slice(180, 191), slice(60, 71), 0),
    ):
        result[0, rows, columns] = code
    return result


# Per level: mean, std and first value of the image's maps, and of the decoder's; the
# logits at a quarter of the size: mean, std, both channels at (0, 0) and (20, 30); of
# those at full size the std, and pixels of the object.
LIGHT = {
    (512, 512): (
        {
            0: (0.277882, 0.582611, -0.157435, -0.002402, 0.987420, 0.377508),
            1: (0.279865, 0.593721, 0.757514, -0.000629, 1.007733, -0.123786),
            2: (0.275638, 0.570228, -0.144207, 0.000888, 1.007563, -0.661064),
            3: (0.287321, 0.585490, 0.715829, -0.007051, 1.008692, 0.096126),
        },
        (0.300616, 0.327133, -0.485733, 0.697357, -0.030330, -0.074989),
        0.311384,
        3255,
    ),
    (256, 320): (
        {
            0: (0.278352, 0.580233, -0.156696, -0.000702, 0.985428, 0.512342),
            3: (0.287836, 0.581727, 0.797638, -0.004340, 1.010215, -0.224678),
        },
        (0.296334, 0.289789, -0.528803, 0.617751, 0.017928, 0.007511),
        0.271774,
        3223,
    ),
}
TINY = {
    (512, 512): (
        {
            0: (0.275196, 0.572658, 0.443545, 0.011994, 1.003667, 1.626333),
            3: (0.286251, 0.579448, -0.169585, -0.004461, 1.011859, 0.578769),
        },
        (-0.308206, 0.323851, -0.296854, -0.170537, 0.078496, -0.690122),
        0.313312,
        10339,
    ),
    (256, 320): (
        {
            0: (0.276395, 0.573828, 0.772477, 0.011727, 1.004512, 2.257086),
            3: (0.286926, 0.575360, -0.159004, -0.004769, 1.011792, 0.536951),
        },
        (-0.116064, 0.380903, -0.335468, 0.189760, 0.085859, -0.512459),
        0.372478,
        1676,
    ),
}
ZOOMED = {
    (512, 512): (-0.009298, 0.180942, 118022),
    (256, 320): (0.025278, 0.280307, 17260),
}
"""Mean and std of both logits at full size, and pixels of the object."""


def assert_near(found, expected):
    numbers = torch.stack([torch.as_tensor(value) for value in found])
    torch.testing.assert_close(
        numbers.float(), torch.tensor(expected), atol=1e-4, rtol=0
    )


@pytest.fixture(scope="module")
def light():
    network = networks.build("interformer-light").eval()
    fill_by_formula(network)
    return network


@pytest.fixture(scope="module")
def tiny():
    network = networks.build("interformer-tiny").eval()
    fill_by_formula(network)
    return network


def check(network, size, vectors):
    levels, quarter, full_std, foreground = vectors
    answers, quarters = [], []
    hooks = [
        network.neck.register_forward_hook(lambda *args: answers.append(args[2])),
        network.decode_head.register_forward_hook(
            lambda *args: quarters.append(args[2])
        ),
    ]
    image, _ = image_and_prior(*size)
    with torch.no_grad():
        features = network.encode(image)
        scores = network.scores(features, codes(*size))
        logits = network.decode(features, codes(*size))
    for hook in hooks:
        hook.remove()
    for number, expected in levels.items():
        x, y = features[number], answers[0][number]
        found = (x.mean(), x.std(), x[0, 0, 0, 0], y.mean(), y.std(), y[0, 0, 0, 0])
        assert_near(found, expected)
    small = quarters[0]
    ends = [
        small[0, channel, *place] for channel in (0, 1) for place in ((0, 0), (20, 30))
    ]
    assert_near((small.mean(), small.std(), *ends), quarter)
    assert_near([scores.std()], [full_std])
    torch.testing.assert_close(logits, scores[:, 1:] - scores[:, :1])
    assert abs(int((logits > 0).sum()) - foreground) <= 2
    return features


@pytest.mark.slow
@pytest.mark.parametrize("size", LIGHT)
def test_light_answers_as_the_released_code_does(light, size):
    check(light, size, LIGHT[size])


@pytest.mark.slow
@pytest.mark.parametrize("size", TINY)
def test_tiny_answers_as_the_released_code_does_also_zoomed_in(tiny, size):
    features = check(tiny, size, TINY[size])
    box = torch.tensor([[64, 32, 224, 192]])
    with torch.no_grad():
        scores = tiny.scores(features, (codes(*size), box))
    mean, std, foreground = ZOOMED[size]
    assert_near((scores.mean(), scores.std()), (mean, std))
    assert abs(int((scores[:, 1] > scores[:, 0]).sum()) - foreground) <= 20


@pytest.mark.parametrize(
    ("name", "entries", "parameters"),
    [("interformer-light", 468, 97_373_348), ("interformer-tiny", 884, 324_557_316)],
)
def test_tensors_are_as_many_as_published(name, entries, parameters):
    with torch.device("meta"):
        network = networks.build(name)
    assert len(network.state_dict()) == entries
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    refining = (1, 0, 1, 0)
    changes = {"width": 32, "depth": 2, "heads": 2, "refining": refining}
    network = networks.build("interformer-light", 64, **changes).eval()
    torch.nn.init.normal_(network.neck.patch_embed)
    return network


def counts(prompt):
    return np.bincount(prompt[0].flatten().numpy(), minlength=5).tolist()


def rectangle(rows, columns, shape=(64, 80)):
    mask = torch.zeros(1, 1, *shape)
    mask[..., slice(*rows), slice(*columns)] = 1
    return mask


def test_clicks_and_answers_move_the_codes(small):
    nothing = torch.zeros(1, 1, 64, 80)
    first = CropPrompts(nothing, ((30, 40),))
    prompt, memory = small.encode_prompt(first)
    assert counts(prompt) == [0, 0, 5039, 0, 81]
    assert prompt[1].tolist() == [[0, 0, 96, 64]]
    answer = rectangle((12, 56), (18, 44))
    prompt, _ = small.encode_prompt(CropPrompts(answer, ((30, 40),)), memory)
    assert counts(prompt) == [0, 3968, 0, 1071, 81]
    second = CropPrompts(answer, ((30, 40),), ((52, 30),))
    prompt, memory = small.encode_prompt(second, memory)
    assert counts(prompt) == [81, 3960, 0, 998, 81]
    answer = rectangle((10, 50), (20, 56))
    third = CropPrompts(answer, ((30, 40),), ((52, 30),))
    prompt, _ = small.encode_prompt(third, memory)
    assert counts(prompt) == [81, 3440, 696, 822, 81]
    assert (
        small.encode_prompt(third, memory)[1] == small.encode_prompt(third, memory)[1]
    )


def test_a_prior_without_memory_and_a_moved_crop_begin_a_new_map(small):
    prior = rectangle((10, 30), (10, 30))
    prompt, memory = small.encode_prompt(
        CropPrompts(prior, ((20, 20),), region=(0, 63, 0, 79))
    )
    assert counts(prompt) == [0, 64 * 80 - 400, 0, 400 - 81, 81]
    moved = CropPrompts(prior, ((20, 20),), ((50, 50),), region=(5, 63, 0, 79))
    assert counts(small.encode_prompt(moved, memory)[0]) == [81, 4639, 0, 319, 81]
    undone = CropPrompts(prior, ((22, 22),), region=(0, 63, 0, 79))
    assert counts(small.encode_prompt(undone, memory)[0]) == [0, 4720, 0, 319, 81]


@pytest.mark.parametrize(
    ("mask", "expected", "multiple"),
    [
        ((20, 10, 56, 58), (13, 0, 63, 64), (0, 0, 64, 64)),
        ((3, 4, 8, 20), (0, 0, 22, 28), (0, 0, 32, 32)),
    ],
)
def test_what_refining_looks_at(mask, expected, multiple):
    left, top, right, bottom = mask
    pixels = rectangle((top, bottom), (left, right))[0, 0].numpy() > 0
    assert box_around(pixels) == expected
    assert snapped(expected) == multiple
    assert box_around(np.zeros((7, 9), bool)) == (0, 0, 9, 7)


def test_a_mirrored_question_has_a_mirrored_form(small):
    prior = rectangle((10, 30), (40, 70), (64, 96))
    prompts = CropPrompts(prior, ((20, 60.0),))
    prompt = small.encode_prompt(prompts)[0]
    mirrored = small.encode_prompt(CropPrompts(prior.flip(3), ((20, 35.0),)))[0]
    flipped = small.flip_prompt(prompt)
    assert torch.equal(flipped[0], mirrored[0])
    assert flipped[1].tolist() == [[0, 0, 96, 64]] or flipped[1][0, 0] % 32 == 0
    assert torch.equal(small.flip_prompt(prompt[0]), mirrored[0])


def test_any_size_is_answered_and_only_a_part_changes_when_refining_it(small):
    image = torch.rand(2, 3, 75, 101)
    unknown = torch.full((2, 75, 101), 2)
    with torch.no_grad():
        features = small.encode(image)
        whole = small.decode(features, unknown)
        alone = small.decode(tuple(f[1:] for f in features), unknown[1:])
        box = torch.tensor([[0, 0, 32, 32], [64, 32, 128, 96]])
        part = small.decode(features, (unknown, box))
    assert whole.shape == part.shape == (2, 1, 75, 101)
    torch.testing.assert_close(whole[1:], alone, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(whole, part, atol=1e-4)
