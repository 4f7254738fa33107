"""Losses beside that of the answer, against values worked out by hand."""

import math

import numpy as np
import pytest
import torch

from napari_simpleclick.networks import Refinement, Selection
from napari_simpleclick.training.focus import draw_box, draw_focus, near_outline
from napari_simpleclick.training.losses import (
    cross_entropy_loss,
    normalized_focal_loss,
    refinement_losses,
)
from napari_simpleclick.training.selection_losses import contrast_loss, score_loss
from tests.helpers import LinearNetwork


def selection(scores, indices, tokens, kernel, valid=None):
    """What a block selected of one sample's tokens of 8 px, two to a row."""
    scores, indices = torch.tensor([scores]), torch.tensor([indices])
    valid = torch.tensor([valid or [True] * indices.shape[1]])
    tokens = torch.tensor([tokens]) * valid[..., None]
    return Selection(scores, indices, valid, tokens, torch.tensor([kernel]))


TARGET = torch.zeros(1, 1, 16, 16)
TARGET[..., :8] = 1  # tokens 0 and 2 of four

CHOSEN = selection(
    [0.9, 0.2, 0.6, 0.5],
    [0, 2, 1],
    [[1.0, 1.0], [0.0, 3.0], [0.0, 4.0]],
    [1.0, 0.0],
)
"""Two selected tokens in the object, one beside it."""


def softplus(x):
    return math.log1p(math.exp(x))


def test_contrast_is_the_soft_margin_of_mean_distances():
    near = (1 + math.sqrt(10)) / 2  # of (1, 1) and (0, 3) from (1, 0)
    far = math.sqrt(17)
    loss = contrast_loss([[CHOSEN]], TARGET, "tokens")
    assert loss.item() == pytest.approx(softplus(near - far))


def test_contrast_over_channels_measures_along_the_tokens():
    near = (math.sqrt(0 + 1) + math.sqrt(1 + 9)) / 2
    far = (1 + 4) / 2
    loss = contrast_loss([[CHOSEN]], TARGET, "channels")
    assert loss.item() == pytest.approx(softplus(near - far))


def test_contrast_leaves_out_dropped_tokens_and_what_has_no_other_side():
    dropped = CHOSEN._replace(valid=torch.tensor([[True, False, True]]))
    expected = softplus(1 - math.sqrt(17))
    loss = contrast_loss([[dropped]], TARGET, "tokens")
    assert loss.item() == pytest.approx(expected)
    inside = CHOSEN._replace(valid=torch.tensor([[True, True, False]]))
    # the coarser scales of the block are left out with the finest one
    found = contrast_loss([[inside, dropped], [dropped]], TARGET, "tokens")
    assert found.item() == pytest.approx(expected)
    pair = contrast_loss([[dropped, inside], [dropped]], TARGET, "tokens")
    assert pair.item() == pytest.approx(expected)
    assert contrast_loss([[inside]], TARGET).item() == 0
    assert contrast_loss([], TARGET).item() == 0


def test_scores_are_compared_with_the_object_at_each_token():
    square = (0.1**2 + 0.2**2 + 0.4**2 + 0.5**2) / 4
    assert score_loss([[CHOSEN]], TARGET, "square").item() == pytest.approx(square)
    focal = -(
        0.25 * 0.1**2 * math.log(0.9)
        + 0.75 * 0.2**2 * math.log(0.8)
        + 0.25 * 0.4**2 * math.log(0.6)
        + 0.75 * 0.5**2 * math.log(0.5)
    )
    assert score_loss([[CHOSEN]], TARGET).item() == pytest.approx(focal / 4)


def test_samples_without_a_click_have_no_score_loss():
    none = CHOSEN._replace(scores=torch.zeros(1, 4))
    assert score_loss([[none]], TARGET, "square").item() == 0
    both = Selection(*(torch.cat(pair) for pair in zip(CHOSEN, none, strict=True)))
    two = TARGET.repeat(2, 1, 1, 1)
    alone = score_loss([[CHOSEN]], TARGET, "square")
    torch.testing.assert_close(score_loss([[both]], two, "square"), alone)
    sure = CHOSEN._replace(scores=torch.tensor([[0.0, 1.0, 0.0, 1.0]]))
    assert math.isfinite(score_loss([[sure]], TARGET).item())


def test_scales_and_blocks_count_alike():
    other = CHOSEN._replace(scores=torch.tensor([[0.5, 0.5, 0.5, 0.5]]))
    one, two = (score_loss([[each]], TARGET).item() for each in (CHOSEN, other))
    assert score_loss([[CHOSEN, other]], TARGET).item() == pytest.approx(
        (one + two) / 2
    )


def test_coarse_answers_have_a_cross_entropy_over_all_pixels():
    logits = torch.tensor([[[[0.0, 2.0], [-1.0, 5.0]]]], requires_grad=True)
    target = torch.tensor([[[[1.0, 0.0], [0.0, -1.0]]]])
    loss = cross_entropy_loss(logits, target)
    expected = (math.log(2) + softplus(2) + softplus(-1)) / 4
    assert loss.tolist() == pytest.approx([expected])
    torch.autograd.backward(loss.sum())
    assert logits.grad[0, 0, 1, 1] == 0


def test_refined_answers_count_more_near_the_outline():
    logits = torch.tensor([[[[1.0, -1.0], [0.5, -2.0]]]])
    target = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    near = torch.tensor([[[[True, False], [False, True]]]])
    boundary = torch.zeros(1, 1, 2, 2)
    answer = Refinement(logits, logits, boundary)
    refined, outline = refinement_losses(answer, target, near)
    assert outline.item() == pytest.approx(math.log(2))
    confidence = torch.where(target > 0.5, logits.sigmoid(), 1 - logits.sigmoid())
    focus = (1 - confidence) ** 2
    pixels = -0.5 * focus / focus.mean() * confidence.log()
    weight = 1.0 + near.float()
    expected = (pixels * weight).sum() / weight.sum()
    torch.testing.assert_close(refined, expected)
    plain, _ = refinement_losses(answer, target, near, outline=0.0)
    torch.testing.assert_close(plain, normalized_focal_loss(logits, target).mean())


def test_what_a_coarser_mask_would_lose_is_near_the_outline():
    mask = np.zeros((256, 256), bool)
    mask[60:189, 60:189] = True
    mask[20:22, 20:22] = True  # gone in the coarser one
    near = near_outline(mask)
    assert near[20, 20]
    assert near[60, 60]  # corners are rounded off
    assert not near[124, 124]
    assert not near[250, 250]
    assert near.mean() < 0.1
    assert not near_outline(np.zeros((64, 64), bool)).any()


def test_focus_crops_hold_small_objects_or_parts_of_the_outline_of_large_ones():
    small, large = (np.zeros((256, 256), bool) for _ in range(2))
    small[100:130, 40:80] = True
    large[20:220, 30:230] = True
    rng = np.random.default_rng(0)
    for _ in range(40):
        left, top, right, bottom = draw_box(small, rng)
        assert 0 <= left < right <= 256
        assert 0 <= top < bottom <= 256
        assert 31 <= bottom - top <= 30 * 1.6 + 1
        assert 40 < right - left <= 40 * 1.6 + 1
        assert small[top:bottom, left:right].sum() > 200
    sides = {draw_box(large, rng) for _ in range(60)}
    widths = [right - left for left, _, right, _ in sides]
    assert min(widths) < 150 < 200 < max(widths)
    assert draw_box(np.zeros((20, 30), bool), rng) == (0, 0, 30, 20)


class Focusing(LinearNetwork):
    """Gives the prompts on focus crops back."""

    def encode_focus(self, prompts):
        return self.encode_prompt(prompts)[0]


def test_all_that_is_learned_from_is_on_the_focus_crop():
    target = torch.zeros(2, 1, 128, 128)
    target[0, 0, 60:76, 30:46] = target[1, 0, 20:36, 90:106] = 1
    image = target.repeat(1, 3, 1, 1) * 0.5
    points = torch.full((2, 48, 2), -1.0)
    points[0, 0], points[1, 0] = torch.tensor([68.0, 38.0]), torch.tensor([28.0, 98.0])
    focus = draw_focus(
        Focusing(0.0, 5.0), image, target, points, np.random.default_rng(1)
    )
    assert focus.image.shape == (2, 3, 128, 128)
    assert focus.target.shape == focus.near.shape == (2, 1, 128, 128)
    for number, (left, top, right, bottom) in enumerate(focus.boxes.tolist()):
        assert right - left < 40
        inner = focus.target[number, 0] > 0.5
        share = target[number, 0, top:bottom, left:right].mean()
        assert inner.float().mean().item() == pytest.approx(share.item(), abs=0.02)
        assert focus.image[number, :, inner].mean() > 0.4
        row, column = points[number, 0].tolist()
        zoom = 128 / (bottom - top), 128 / (right - left)
        place = (row - top) * zoom[0], (column - left) * zoom[1]
        disk = focus.prompt[number, 1].nonzero().float().mean(0)
        if all(8 < side < 120 for side in place):
            assert disk.tolist() == pytest.approx(place, abs=1)
