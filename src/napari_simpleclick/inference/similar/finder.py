"""Objects that look like those that were accepted: learning, seeding, choosing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.errors import UserError
from napari_simpleclick.inference.crops import Crop
from napari_simpleclick.inference.similar.candidates import (
    Answers,
    Candidate,
    boxed,
    shared,
)
from napari_simpleclick.inference.similar.descriptors import (
    STRIDE,
    Descriptors,
    covered,
)
from napari_simpleclick.inference.similar.logistic import Logistic
from napari_simpleclick.inference.similar.picture import (
    Picture,
    Tiling,
    usual_sides,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_simpleclick.networks import Features

Mask = NDArray[np.bool_]
Map = NDArray[np.float32]

FEWEST = 3
CAP = 16
"""Examples without which nothing can be told about what they have in common."""


@dataclass(frozen=True, eq=False)
class ExampleSlice:
    """A slice with accepted objects, and with proposals that were rejected.

    Parameters
    ----------
    picture : Picture
        The slice.
    objects, rejected : sequence of ndarray
        (H, W) bool masks.
    whole : bool
        Whether all that is like the objects is among them.
    """

    picture: Picture
    objects: Sequence[Mask]
    rejected: Sequence[Mask] = ()
    whole: bool = False


@dataclass(frozen=True, eq=False)
class SimilarObject:
    """Something that looks like the examples.

    Parameters
    ----------
    box : Crop
        Rows and columns of the slice.
    mask : ndarray
        (height, width) bool, inside the box.
    score : float
        How sure it is, 0 to 1.
    seed : tuple of float
        Row and column of the click that gave it.
    """

    box: Crop
    mask: Mask
    score: float
    seed: tuple[float, float]


@dataclass(eq=False)
class View:
    """A view, encoded and described, with the pixel classifier's opinion."""

    crop: Crop
    own: Crop
    features: Features
    descriptors: Descriptors
    likely: Map = field(default_factory=lambda: np.zeros((0, 0), np.float32))


@dataclass(eq=False)
class SimilarFinder:
    answers: Answers
    tiling: Tiling = None
    places: Logistic = None
    judge: Logistic = None
    areas: tuple = (0, 0)
    least_place: float = 0.15
    seed_gap: float = 0.35
    log: list = field(default_factory=list)

    # ---- learning
    def learn(self, slices):
        objects = [s.picture.squared(m) for s in slices for m in s.objects]
        if len(objects) < FEWEST:
            raise UserError("too few")
        median, large = usual_sides(objects)
        self.tiling = Tiling.fitting(median, large, self.answers.size)
        areas = np.array([np.count_nonzero(m) for m in objects], float)
        self.areas = (0.25 * areas.min(), 3.0 * areas.max())
        self.small = float(np.percentile(np.sqrt(areas), 10))
        rows, kinds, share, keep = [], [], [], []
        for s in slices:
            truth = np.zeros(s.picture.square, bool)
            for m in s.objects:
                truth |= s.picture.squared(m)
            for crop, own in self.tiling.views(s.picture.square):
                view = self.view(s.picture, crop, own)
                size = view.descriptors.values.shape[1:]
                inside = covered(self._resized(truth[crop.slices]), size)
                rows.append(view.descriptors.rows)
                kinds.append(np.where(inside > 0.7, 1, np.where(inside < 0.05, 0, -1)).ravel())
                keep.append((s, view))
        rows, kinds = np.concatenate(rows), np.concatenate(kinds)
        rng = np.random.default_rng(0)
        chosen = np.concatenate([self._some(rng, np.flatnonzero(kinds == k), n) for k, n in ((1, 4000), (0, 12000))])
        groups = keep[0][1].descriptors.groups
        self.places = Logistic.fitted(rows[chosen], kinds[chosen] == 1, penalty=self.pen1, groups=groups)
        # judge
        X, Y, W = [], [], []
        self.train = []
        for s, view in keep:
            masks = [boxed(s.picture.squared(m)) for m in s.objects]
            view.likely = self._likely(view)
            for cand, box in self.candidates(view, least=0.05):
                ious = [shared(box, m) / max(1, np.count_nonzero(box[1]) + np.count_nonzero(m[1]) - shared(box, m)) for m in masks]
                best = max(ious, default=0)
                inside = max([shared(box, m) / np.count_nonzero(m[1]) for m in masks], default=0)
                if best > 0.6 or best < 0.25:
                    X.append(self.describe(view, cand)); Y.append(best > 0.6); W.append(1.0)
        self.X, self.Y = np.array(X), np.array(Y)
        D = len(view.descriptors.values)
        g = [*groups, *[(a + D, b + D) for a, b in groups]]
        self.judge = Logistic.fitted(self.X, self.Y, np.array(W, np.float32), penalty=self.pen2, groups=g)

    pen1: float = 0.003
    pen2: float = 0.003

    def _some(self, rng, idx, n):
        return np.sort(rng.permutation(idx)[:n])

    def _resized(self, mask):
        return cv2.resize(mask.astype(np.uint8), self.tiling.size[::-1], interpolation=cv2.INTER_NEAREST) > 0

    def view(self, picture, crop, own):
        pixels = picture.crop(crop, self.tiling.size)
        features = self.answers.encode(pixels)
        d = Descriptors.of(features if self.answers.encodes_once else None, pixels)
        return View(crop, own, features, d)

    def _likely(self, view):
        p = self.places.probability(view.descriptors.rows).reshape(view.descriptors.values.shape[1:])
        return p

    def seeds(self, view, least):
        scale = self.tiling.size[0] / view.crop.height
        small = self.small * scale / STRIDE  # cells
        smooth = cv2.GaussianBlur(view.likely, (0, 0), max(0.5, 0.2 * small))
        gap = max(2, round(0.8 * small))
        k = 2 * gap + 1
        top = cv2.dilate(smooth, np.ones((k, k), np.uint8))
        peak = (smooth >= top) & (smooth > least)
        # deep places of what is likely
        d = cv2.distanceTransform((smooth > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
        peak |= (d >= cv2.dilate(d, np.ones((k, k), np.uint8))) & (d > 1)
        r, c = np.nonzero(peak)
        order = np.argsort(-smooth[r, c], kind="stable")
        out = []
        for i in order:
            if all(max(abs(r[i] - a), abs(c[i] - b)) >= gap for a, b in out):
                out.append((r[i], c[i]))
        res = []
        for a, b in out:
            place = ((a + 0.5) * STRIDE, (b + 0.5) * STRIDE)
            R = view.crop.row_min + place[0] * view.crop.height / self.tiling.size[0]
            C = view.crop.column_min + place[1] * view.crop.width / self.tiling.size[1]
            if view.own.row_min <= R <= view.own.row_max + 1 and view.own.column_min <= C <= view.own.column_max + 1:
                res.append(place)
        return res[:CAP]

    def candidates(self, view, least=None, shape=None):
        seeds = self.seeds(view, self.least_place if least is None else least)
        if not seeds:
            return []
        scale = self.tiling.size[0] / view.crop.height * self.tiling.size[1] / view.crop.width
        low, high = (a * scale for a in self.areas)
        first = self._cands(seeds, self.answers.decode(view.features, seeds, [None] * len(seeds)), low, high)
        first = self._unique(first)
        if not first:
            return []
        again = [c.middle() for c in first]
        probs = self.answers.decode(view.features, again, [c.probability for c in first])
        second = self._unique(self._cands(again, probs, low, high))
        return [(c, c.in_view(view.crop)) for c in second]

    def _cands(self, seeds, probs, low, high):
        found = [Candidate.of(s, p) for s, p in zip(seeds, probs)]
        return [c for c in found if c is not None and low <= c.area <= high]

    def _unique(self, cands):
        kept = []
        for c in sorted(cands, key=lambda c: -c.stability):
            if all(np.count_nonzero(c.mask & k.mask) < 0.8 * np.count_nonzero(c.mask | k.mask) for k in kept):
                kept.append(c)
        return kept

    def describe(self, view, cand):
        size = view.descriptors.values.shape[1:]
        inside = covered(cand.mask, size)
        r = int(2 * STRIDE + 1)
        wide = cv2.dilate(cand.mask.astype(np.uint8), np.ones((2 * r + 1,) * 2, np.uint8)) > 0
        around = covered(wide & ~cand.mask, size)
        pooled = view.descriptors.pooled(inside, around)
        li = float((view.likely * inside).sum() / max(inside.sum(), 1e-6))
        lo = float((view.likely * around).sum() / max(around.sum(), 1e-6))
        mean = float(cand.probability[cand.mask].mean())
        return np.concatenate([pooled, [li, li - lo, cand.stability, mean, np.log(cand.area)]]).astype(np.float32)

    # ---- finding
    def find(self, picture, least=0.0):
        found = []
        for crop, own in self.tiling.views(picture.square):
            view = self.view(picture, crop, own)
            view.likely = self._likely(view)
            for cand, box in self.candidates(view):
                p = float(self.judge.probability(self.describe(view, cand)[None])[0])
                seed = (crop.row_min + cand.seed[0] * crop.height / self.tiling.size[0], crop.column_min + cand.seed[1] * crop.width / self.tiling.size[1])
                found.append(SimilarObject(*box, p * cand.stability, seed))
        found.sort(key=lambda f: -f.score)
        kept = []
        for f in found:
            if f.score < least: continue
            n = np.count_nonzero(f.mask)
            if all(shared((f.box, f.mask), (k.box, k.mask)) < 0.4 * min(n, np.count_nonzero(k.mask)) for k in kept):
                kept.append(f)
        return kept
