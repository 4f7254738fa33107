import importlib.util
import sys
import types

import pytest
import torch
from torch import nn

from napari_simpleclick import networks
from napari_simpleclick.networks import CropPrompts
from napari_simpleclick.networks.sam.tiny_vit import Attention

SMALL = {
    "channels": 64,
    "hidden": 48,
    "width": 48,
    "depth": 3,
    "heads": 3,
    "looking_at_all": (1,),
    "window": 3,
}
TINY = {
    "channels": 64,
    "hidden": 48,
    "widths": (32, 32, 64, 96),
    "depths": (1, 1, 2, 1),
    "heads": (1, 1, 2, 3),
    "windows": (7, 3, 5, 3),
}
SIDE = 128


@pytest.fixture(scope="module")
def released():
    """The released code; its package would import more than networks need."""
    found = importlib.util.find_spec("segment_anything")
    if found is None:
        pytest.skip("segment-anything is not installed")
    package = types.ModuleType("segment_anything")
    package.__path__ = found.submodule_search_locations
    before = sys.modules.get("segment_anything")
    sys.modules["segment_anything"] = package
    yield importlib.import_module("segment_anything.modeling")
    if before is None:
        del sys.modules["segment_anything"]
    else:
        sys.modules["segment_anything"] = before


def randomise(network):
    """Give every tensor numbers of a size that matters."""
    torch.manual_seed(1)
    for name, tensor in network.state_dict().items():
        if not tensor.is_floating_point():
            continue
        if name.endswith(("norm1.weight", "norm2.weight", "running_var")):
            tensor.uniform_(0.8, 1.2)
        elif "rel_pos" in name or "biases" in name or "embed" in name:
            tensor.normal_(std=0.5)
    return network.eval()


def small(name="sam-vit-b", changes=SMALL):
    torch.manual_seed(0)
    return randomise(networks.build(name, SIDE, **changes))


@pytest.fixture(scope="module")
def network():
    return small()


@pytest.fixture(scope="module")
def theirs(released, network):
    """The released code with the same weights."""
    grid, channels = SIDE // 16, SMALL["channels"]
    encoder = released.ImageEncoderViT(
        SIDE,
        embed_dim=SMALL["width"],
        depth=SMALL["depth"],
        num_heads=SMALL["heads"],
        out_chans=channels,
        norm_layer=lambda width: nn.LayerNorm(width, 1e-6),
        use_rel_pos=True,
        window_size=SMALL["window"],
        global_attn_indexes=SMALL["looking_at_all"],
    )
    decoder = released.MaskDecoder(
        transformer_dim=channels,
        transformer=released.TwoWayTransformer(2, channels, 8, SMALL["hidden"]),
        iou_head_hidden_dim=channels,
    )
    size = (grid, grid)
    prompts = released.PromptEncoder(channels, size, (SIDE, SIDE), 16)
    sam = released.Sam(encoder, prompts, decoder).eval()
    sam.load_state_dict(network.state_dict())
    return sam


def asked(prompts, network):
    return network.encode_prompt(prompts)[0]


def nothing(height=SIDE, width=SIDE):
    return torch.zeros(1, 1, height, width)


@pytest.mark.parametrize(
    ("positive", "negative", "box"),
    [
        (((30, 40),), (), None),
        (((30, 40), (70.5, 20)), ((90, 100),), None),
        ((), (), (10, 20, 60, 90.5)),
        (((30, 40),), ((50, 60),), (10, 20, 60, 90)),
    ],
)
def test_points_and_boxes_are_answered_as_by_the_released_code(
    network, theirs, positive, negative, box
):
    image = torch.rand(1, 3, 100, SIDE)
    boxes = () if box is None else (box,)
    prompts = CropPrompts(nothing(100), positive, negative, boxes)
    places = [place[::-1] for place in (*positive, *negative)]
    kinds = [1] * len(positive) + [0] * len(negative)
    record = {"image": 255 * image[0], "original_size": (100, SIDE)}
    if places:
        record["point_coords"] = torch.tensor([places]).float()
        record["point_labels"] = torch.tensor([kinds])
    if box is not None:
        top, left, bottom, right = box
        record["boxes"] = torch.tensor([[left, top, right, bottom]]).float()
    with torch.no_grad():
        features = network.encode(image)
        low, quality = network.masks(features, asked(prompts, network))
        logits = network.decode(features, asked(prompts, network))
    single, several = theirs([record], False)[0], theirs([record], True)[0]
    expected = torch.cat([single["low_res_logits"], several["low_res_logits"]], 1)
    torch.testing.assert_close(low, expected, atol=1e-4, rtol=1e-4)
    rated = torch.cat([single["iou_predictions"], several["iou_predictions"]], 1)
    torch.testing.assert_close(quality, rated, atol=1e-4, rtol=1e-4)
    unclear = len(places) == 1 and box is None
    best = 1 + int(quality[0, 1:].argmax()) if unclear else 0
    whole = theirs.postprocess_masks(expected, (100, SIDE), (100, SIDE))
    torch.testing.assert_close(logits[:, 0], whole[:, best], atol=1e-4, rtol=1e-4)


def test_a_prior_is_answered_as_by_the_released_code(network, theirs):
    torch.manual_seed(0)
    image = torch.rand(1, 3, SIDE, SIDE)
    low = torch.tensor([[[[2.0, -1.0], [-2.0, 1.0]]]])
    side = SIDE // 4
    low = nn.functional.interpolate(low, (side, side), mode="bilinear")
    prior = nn.functional.interpolate(low, (SIDE, SIDE), mode="bilinear").sigmoid()
    prompts = CropPrompts(prior, ((30, 40),))
    record = {
        "image": 255 * image[0],
        "original_size": (SIDE, SIDE),
        "point_coords": torch.tensor([[[40.0, 30.0]]]),
        "point_labels": torch.tensor([[1]]),
        "mask_inputs": low,
    }
    assert (prior > 0.5).any()
    with torch.no_grad():
        features = network.encode(image)
        found = network.masks(features, asked(prompts, network))[0][:, :1]
        without = CropPrompts(nothing(), ((30, 40),))
        other = network.masks(features, asked(without, network))[0][:, :1]
    expected = theirs([record], False)[0]["low_res_logits"]
    spread = float(expected.std())
    assert float((found - expected).abs().max()) < 0.05 * spread
    assert float((other - expected).abs().max()) > 0.2 * spread


@pytest.mark.parametrize(
    ("name", "entries", "parameters"),
    [
        ("sam-vit-b", 314, 93_735_472),
        ("sam-vit-l", 482, 312_342_832),
        ("sam-vit-h", 594, 641_090_608),
    ],
)
def test_tensors_are_as_many_as_published(name, entries, parameters):
    with torch.device("meta"):
        network = networks.build(name)
    assert len(network.state_dict()) == entries
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize(
    ("name", "changes"), [("sam-vit-b", SMALL), ("mobile-sam", TINY)]
)
def test_a_configuration_is_told_by_its_tensors(name, changes):
    network = small(name, changes)
    state = {f"sam.{k}": v for k, v in network.state_dict().items()}
    config = networks.sam.recognise(state, {})
    if name == "sam-vit-b":
        assert config == network.config
    else:
        assert config.build().load_state_dict(network.state_dict())


def test_published_sizes_are_told_by_their_tensors():
    for name, config in networks.sam.SIZES.items():
        with torch.device("meta"):
            state = networks.build(name).state_dict()
        assert networks.sam.recognise(state, {}) == config, name


def test_a_mirrored_question_has_a_mirrored_form(network):
    prior = torch.rand(1, 1, SIDE, SIDE)
    here = CropPrompts(prior, ((20, 60.0),), (), ((10, 20, 60, 90),))
    last = SIDE - 1
    there = CropPrompts(
        prior.flip(3), ((20, last - 60.0),), (), ((10, last - 90, 60, last - 20),)
    )
    flipped = network.flip_prompt(asked(here, network))
    for found, expected in zip(flipped, asked(there, network), strict=True):
        torch.testing.assert_close(found, expected)


def test_half_certain_priors_say_no_more_than_the_prompts(network):
    features = network.encode(torch.rand(1, 3, SIDE, SIDE))
    half = nothing()
    half[..., 20:60, 20:60] = 0.5
    box = {"boxes": ((20, 20, 59, 59),)}
    with torch.no_grad():
        one, other = (
            network.decode(features, asked(CropPrompts(prior, **box), network))
            for prior in (half, nothing())
        )
    torch.testing.assert_close(one, other)


def test_the_small_encoder_keeps_the_size_of_its_last_map():
    network = small("mobile-sam", TINY)
    (maps,) = network.encode(torch.rand(1, 3, SIDE, SIDE))
    assert maps.shape == (1, TINY["channels"], SIDE // 16, SIDE // 16)


def test_attention_of_the_small_encoder_adds_a_bias_for_each_distance():
    """Against a plain double loop, with queries that are all the same."""
    torch.manual_seed(0)
    attention = Attention(4, 2, 3).eval()
    attention.attention_biases.data.normal_()
    attention.qkv.weight.data[[0, 1, 6, 7]] = 0  # queries of both heads
    attention.qkv.bias.data[[0, 1, 6, 7]] = 0
    windows = torch.rand(1, 3, 3, 4)
    tokens = attention.norm(windows.reshape(9, 4))
    values = attention.qkv(tokens).view(9, 2, 6)[..., 4:]
    expected = torch.zeros(9, 2, 2)
    for place in range(9):
        for head in range(2):
            rows = [abs(place // 3 - other // 3) for other in range(9)]
            columns = [abs(place % 3 - other % 3) for other in range(9)]
            index = [3 * r + c for r, c in zip(rows, columns, strict=True)]
            weights = attention.attention_biases[head, index].softmax(0)
            expected[place, head] = (weights[:, None] * values[:, head]).sum(0)
    found = attention(windows).reshape(9, 4)
    torch.testing.assert_close(found, attention.proj(expected.reshape(9, 4)))
