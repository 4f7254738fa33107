"""What shapes an answer besides the prompts."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

Keep = Literal["earlier", "always", "never"]
"""What a correction leaves as it is; see :class:`MaskOptions`."""

Intensities = Literal[
    "displayed", "slice", "volume", "brain", "bone", "lung", "soft tissue", "liver"
]
"""Which intensities become black and white; see :class:`MaskOptions`."""


FirstLook = Literal["view", "slice"]
"""What the network is shown before there is a mask; see :class:`MaskOptions`."""


@dataclass(frozen=True)
class MaskOptions:
    """What a mask depends on besides its clicks, the image and the model.

    All values can be written as JSON, a tuple as a list.

    Parameters
    ----------
    threshold : float
        Probability above which a pixel belongs to the object; the default is
        :data:`napari_simpleclick.inference.THRESHOLD`.
    smooth : bool
        Whether to round off the outline.
    fill_holes : bool
        Whether to fill holes, but those with a negative click.
    only_clicked : bool
        Whether to keep only the connected parts that hold a positive click.
    keep : {"earlier", "always", "never"}
        When a click may change only the part of the mask that it is about:
        ``earlier`` where the mask was there before the first click, because it was
        painted, propagated or opened; ``always`` from the second click on as well.
    auto : bool
        Whether each click is predicted at once; if not, clicks wait to be asked for.
    intensities : str
        What becomes black and white: ``displayed``, the contrast limits and gamma of
        the layer; ``slice`` and ``volume``, their 0.5 and 99.5 percentiles; else a
        window of :data:`napari_simpleclick.images.intensity.CT_WINDOWS`.
    channel_axis : int or None
        Axis of the image whose entries are channels of one picture; masks and clicks
        do not depend on it.
    overwrite : bool
        Whether a mask may take pixels of other objects.
    channels : tuple of int
        Channels that are shown to the network as red, green and blue, -1 for none;
        empty for the displayed channel alone.
    first_look : {"view", "slice"}
        What the network is shown of a new object: the part of the slice that is in
        sight at the click, or all of the slice. It is noted with each click.
    """

    threshold: float = 0.49
    smooth: bool = False
    fill_holes: bool = False
    only_clicked: bool = False
    keep: Keep = "earlier"
    overwrite: bool = False
    auto: bool = True
    intensities: Intensities = "displayed"
    channel_axis: int | None = None
    channels: tuple[int, ...] = ()
    first_look: FirstLook = "view"

    def changed(self, before: MaskOptions, after: MaskOptions) -> MaskOptions:
        """Make the change that once led from some options to others."""
        names = [field.name for field in fields(self)]
        new = {name: getattr(after, name) for name in names}
        return replace(
            self, **{n: new[n] for n in names if new[n] != getattr(before, n)}
        )
