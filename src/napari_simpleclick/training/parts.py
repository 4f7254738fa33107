"""Parts of a training run that published systems differ in."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Pair = tuple[float, float]


class Part(BaseModel):
    """A table of a run's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Losses(Part):
    """Weights of the losses beside that of the answer itself, whose weight is 1.

    Each is for networks that have what it is about, and nothing to others.

    Parameters
    ----------
    auxiliary : float
        Of the coarse answer on the way to the final one.
    auxiliary_kind : {"cross-entropy", "focal"}
        How it is compared, as published for RITM and FocalClick, or for InterFormer.
    refined : float
        Of the refiner's answer on a focus crop.
    boundary : float
        Of where the refiner takes the outline to be.
    outline : float
        How much more a pixel near the outline counts in a refined answer than one
        elsewhere, which counts 1: 1 as in FocalClick's code; a pixel's weight is then
        0.5 or 1, which is the same.
    contrast : float
        Of the distances of selected tokens from what was clicked, in the object and
        beside it.
    contrast_over : {"channels", "tokens"}
        What these distances are taken along: as MST's larger networks were trained, a
        distance for each channel, or one for each token.
    score : float
        Of the scores by which tokens are selected.
    score_kind : {"focal", "square"}
        How scores are compared.
    """

    auxiliary: float = Field(0.4, ge=0)
    auxiliary_kind: Literal["cross-entropy", "focal"] = "cross-entropy"
    refined: float = Field(1.0, ge=0)
    boundary: float = Field(1.0, ge=0)
    outline: float = Field(1.0, ge=0)
    contrast: float = Field(1.0, ge=0)
    contrast_over: Literal["channels", "tokens"] = "channels"
    score: float = Field(1.0, ge=0)
    score_kind: Literal["focal", "square"] = "focal"


class Corrections(Part):
    """Clicks that follow those which a sample starts with.

    Parameters
    ----------
    most : int
        Largest number of them.
    decay : float
        P(n + 1) / P(n) of their number n, one for all of a batch.
    depth : float
        They lie where the distance to the border of the mistake exceeds its maximum
        over this.
    exact : bool
        Measure that distance exactly and on every pixel, with clicked pixels taken out
        of mistakes, as published for InterFormer, instead of on every second one in
        large crops.
    restart : float
        Probability that the clicks of a batch are replaced by a single one in the
        object, as published for MST.
    """

    most: int = Field(3, ge=0, le=23)
    decay: float = Field(1.0, gt=0)
    depth: float = Field(2.0, gt=1)
    exact: bool = False
    restart: float = Field(0.0, ge=0, le=1)


class Photographs(Part):
    """How samples are made of the published sets of photographs.

    What is not named is as SimpleClick was trained on that set.

    Parameters
    ----------
    scales : tuple of float or None
        Least and largest factor that photographs are scaled by.
    stretched : bool
        Crop instead windows of any aspect ratio and bring them to the size of a
        sample, as published for FocalClick.
    brightness : float
        Largest change of brightness, as a share of the whole range.
    contrast : tuple of float
        Least and largest change of contrast.
    shift : float
        Largest shift of a channel, grey levels of 255.
    distorted : bool
        Change brightness, contrast, saturation and hue instead, as published for
        InterFormer.
    stuff : float
        Probability that a photograph of COCO+LVIS comes with its stuff.
    keep_background : float or None
        Probability of accepting a crop without any object, above 0.
    least_px : int or None
        Smaller objects of a crop are no targets.
    part_px : int
        Smaller connected parts of an object are left out.
    largest : float
        Objects that fill a larger share of a crop are no targets.
    first_click : {"anywhere", "central", "alone"}
        The first click of each object lies anywhere in it, as those that follow; well
        inside; or in its very middle with no other that follows.
    """

    scales: Pair | None = None
    stretched: bool = False
    brightness: float = Field(0.25, ge=0)
    contrast: Pair = (-0.15, 0.4)
    shift: float = Field(10.0, ge=0)
    distorted: bool = False
    stuff: float = Field(0.3, ge=0, le=1)
    keep_background: float | None = Field(None, gt=0, le=1)
    least_px: int | None = Field(None, gt=0)
    part_px: int = Field(0, ge=0)
    largest: float = Field(1.0, gt=0, le=1)
    first_click: Literal["anywhere", "central", "alone"] = "anywhere"
