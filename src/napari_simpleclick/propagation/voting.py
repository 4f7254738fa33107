"""Who decides on a pixel of the next slice: the network, the brightness, the prior.

What a vote is worth is learned on the annotated slice, where the truth is known: the
annotation is damaged a little, as going on by one slice damages it, and a logistic
regression finds how far the answer of the network, the brightness and the distance to
the damaged outline tell the true pixels. So an object whose outline the network cannot
reproduce is decided by its prior and its brightness, and the reverse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from napari_simpleclick.inference.shapes import signed_distance, smooth_noise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Mask = NDArray[np.bool_]
Map = NDArray[np.float32]

PAIRS = 1
"""Pairs of damaged annotations that the network is shown; two are no more accurate."""

DAMAGE_PX, DAMAGE_SHARE = 0.5, 0.05
"""How far outlines are moved (standard deviation): so many pixels, and a share of the
depth of the object. About what one slice further does to a mask."""

STEADY = 10.0
"""Votes are clipped to this many nats."""

ENOUGH, CLEAR_LEAD = 0.1, 0.5
"""The network leads if it explains this much of what the prior leaves open, and this
share of what it explains together with the brightness. Brightness leaks into tissue
that looks alike, so it is not asked unless the network is at a loss."""

TELLING = 0.5
"""Nats of brightness between an object and its surroundings, below which brightness
does not tell whether the object is still there."""

RING_PX, RING_SHARE = 4.0, 0.3
"""Width of the ring around an object: at least so many pixels, and a share of its
depth."""

BINS = 32
MOST_PIXELS = 40_000
"""Per rehearsal; large objects are sampled."""


class Votes(NamedTuple):
    """Log-odds, each (H, W) float32, that a pixel belongs to the object.

    Parameters
    ----------
    leader : ndarray
        By the voter that decides.
    network : ndarray
        By the network and the prior.
    everything : ndarray
        By network, brightness and prior.
    prior : ndarray
        Not log-odds: the signed distance to the outline of the prior, px.
    """

    leader: Map
    network: Map
    everything: Map
    prior: Map


class Voters:
    """What the annotated slice teaches about the votes.

    Parameters
    ----------
    image : ndarray
        (H, W) uint8, the annotated slice around the object.
    mask : ndarray
        (H, W) bool, the annotation.
    ask : callable
        Shows the network a prior (H, W) bool on that slice; returns its logits
        (H, W) float32.

    Attributes
    ----------
    network_gain, total_gain : float
        Share of what the prior leaves open (log loss on the rehearsals) that the
        network explains, and that network and brightness explain together; 0 to 1.
    """

    def __init__(
        self, image: NDArray[np.uint8], mask: Mask, ask: Callable[[Mask], Map]
    ) -> None:
        inside = signed_distance(mask)
        self.reach = max(8.0, float(inside.max()))
        near = np.abs(inside) < self.reach
        self._brightness = _contrast(image, mask, (inside > -self.reach) & ~mask)
        self._inside, self._around = self._evidence(image, mask)
        rows, truths = [], []
        for damaged in _rehearsals(inside):
            features = self._features(image, signed_distance(damaged), ask(damaged))
            step = 1 + np.count_nonzero(near) // MOST_PIXELS
            rows.append(features[:, near][:, ::step])
            truths.append(mask[near][::step])
        table, truth = np.concatenate(rows, axis=1), np.concatenate(truths)
        self._weights = [_logistic(table[:count], truth) for count in (1, 2, 3)]
        prior, network, total = (
            _log_loss(table, truth, weights) for weights in self._weights
        )
        self.network_gain, self.total_gain = 1 - network / prior, 1 - total / prior

    @property
    def network_leads(self) -> bool:
        """Whether the network knows the object well enough to decide alone."""
        return self.network_gain > max(ENOUGH, CLEAR_LEAD * self.total_gain)

    def votes(self, image: NDArray[np.uint8], prior: Map, logits: Map) -> Votes:
        """Ask all about another slice.

        Parameters
        ----------
        image : ndarray
            (H, W) uint8, the slice around the prior.
        prior : ndarray
            (H, W) float32, signed distance to the outline of the prior, px.
        logits : ndarray
            (H, W) float32, what the network answers to the prior.
        """
        features = self._features(image, prior, logits)
        far = prior < -max(10.0, 0.5 * self.reach)
        _, network, everything = (
            np.where(far, -STEADY, np.clip(_weigh(features, weights), -STEADY, STEADY))
            for weights in self._weights
        )
        leader = network if self.network_leads else everything
        return Votes(leader, network, everything, prior)

    def likeness(self, image: NDArray[np.uint8], mask: Mask) -> float:
        """Tell how much what is under a mask looks like the annotated object.

        Parameters
        ----------
        image : ndarray
            (H, W) uint8, the slice around the mask.
        mask : ndarray
            (H, W) bool, not empty.

        Returns
        -------
        float
            About 1 if it is as bright as the object and stands out as much, 0 if it is
            as the surroundings were, or stands out no more; 1 where the brightness of
            the object never told it from its surroundings.
        """
        contrast = self._inside - self._around
        if contrast < TELLING:
            return 1.0
        inside, around = self._evidence(image, mask)
        return min(inside - self._around, inside - around) / contrast

    def brightness(self, image: NDArray[np.uint8]) -> Map:
        """Tell how far the brightness alone speaks for the object.

        Parameters
        ----------
        image : ndarray
            (H, W) uint8.

        Returns
        -------
        ndarray
            (H, W) float32, nats; above 0 for the object.
        """
        return self._brightness[_smooth(image)]

    def _evidence(self, image: NDArray[np.uint8], mask: Mask) -> tuple[float, float]:
        """Mean evidence of the brightness under a mask, and in a ring around it."""
        odds, inside = self.brightness(image), signed_distance(mask)
        ring = (inside <= 0) & (inside > -max(RING_PX, RING_SHARE * inside.max()))
        around = float(odds[ring].mean()) if ring.any() else 0.0
        return float(odds[mask].mean()), around

    def _features(self, image: NDArray[np.uint8], prior: Map, logits: Map) -> Map:
        """Prior, network and brightness as (3, H, W)."""
        return np.stack(
            [
                np.clip(prior, -15, 15) / 5,
                np.clip(logits, -6, 6) / 3,
                self.brightness(image),
            ]
        )


def _rehearsals(inside: Map) -> Iterator[Mask]:
    """Move an outline by smooth noise and its opposite, so that no side is favoured."""
    rng = np.random.default_rng(0)
    depth = float(inside.max())
    cells = max(inside.shape) / max(depth, 4.0)
    for _ in range(PAIRS):
        noise = smooth_noise(rng, (inside.shape[0], inside.shape[1]), cells)
        noise *= DAMAGE_PX + DAMAGE_SHARE * depth
        for moved in (inside + noise, inside - noise):
            yield moved > min(0.0, float(moved.max()) - 1e-3)  # never nothing


def _smooth(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.0), np.uint8)


def _contrast(image: NDArray[np.uint8], mask: Mask, around: Mask) -> Map:
    """Log ratio (256,) of how often a brightness occurs inside and around."""
    smooth = _smooth(image)
    shares = []
    for where in (mask, around):
        counts = np.histogram(smooth[where], BINS, (0, 256))[0]
        counts = gaussian_filter1d(counts.astype(np.float64), 1.0)
        counts += 0.002 * counts.sum() + 1e-6
        shares.append(np.log(counts / counts.sum()))
    width = 256 // BINS
    centres = np.arange(BINS) * width + width / 2
    ratio = np.interp(np.arange(256), centres, shares[0] - shares[1])
    return np.asarray(ratio, np.float32)


def _logistic(table: Map, truth: Mask) -> NDArray[np.float64]:
    """Weights of a logistic regression, the constant last, by Newton's method.

    The first feature alone where there is nothing to learn: the object fills all.
    """
    if not 0 < np.count_nonzero(truth) < truth.size:
        return np.asarray(np.eye(len(table) + 1)[0])
    rows = np.column_stack([*table, np.ones(truth.size)])
    ridge = 1e-5 * truth.size
    weights = np.zeros(rows.shape[1])
    for _ in range(15):
        chance = _expit(rows @ weights)
        slope = rows.T @ (chance - truth) + ridge * weights
        bend = (rows * (chance * (1 - chance))[:, None]).T @ rows
        weights -= np.linalg.solve(bend + ridge * np.eye(len(weights)), slope)
    return weights


def _log_loss(table: Map, truth: Mask, weights: NDArray[np.float64]) -> float:
    chance = _expit(_weigh(table, weights))
    if truth.size == 0:
        return 1.0
    return float(-np.log(np.where(truth, chance, 1 - chance)).mean())


def _expit(odds: NDArray[np.floating]) -> NDArray[np.float64]:
    odds = np.clip(odds.astype(np.float64), -30, 30)  # in float32, 1 - chance is 0
    return np.asarray(1 / (1 + np.exp(-odds)))


def _weigh(features: Map, weights: NDArray[np.float64]) -> Map:
    """Log-odds by the first features, as many as there are weights for."""
    odds = np.tensordot(weights[:-1], features[: len(weights) - 1], 1) + weights[-1]
    return np.asarray(odds, np.float32)
