"""Other options for a mask that is there: at once, and as one undo step."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_simpleclick.annotate import Edit, Options, Spot
    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.plugin.layers import Bench

SAME_S = 1.0
"""Changes that follow each other faster are one undo step."""


class Retouch:
    """Applies options to the current object on the displayed slice, and no other.

    Parameters
    ----------
    controller : Controller
        Whose image and object are meant.
    """

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self._edit: Edit | None = None
        self._start: Options | None = None
        self._when = 0.0
        self._rough = False

    def begin(self) -> None:
        """Let the next change be an undo step of its own."""
        bench, self._edit = self.controller.bench, None
        self._start = None if bench is None else bench.options

    def change(self, options: Options, moving: bool = False) -> None:
        """Apply options to the mask in view; other masks stay as they are.

        Parameters
        ----------
        options : Options
            The options from now on.
        moving : bool
            Whether a slider is being dragged. Then the mask is made of the probability
            that is remembered, and the network is not asked before :meth:`end`.
        """
        bench = self.controller.bench
        if bench is None or options == bench.options:
            return
        recent = moving or time.monotonic() - self._when < SAME_S
        if recent and self._goes_on(bench):
            self._take_back(bench)
        elif self._start is None or not moving:
            self._start = bench.options
        self._when = time.monotonic()
        bench.session.use(options)
        self._apply(bench, moving)

    def end(self) -> None:
        """Ask the network now, if a dragged slider needs it after all."""
        bench = self.controller.bench
        if bench is not None and self._rough:
            if self._goes_on(bench):
                self._take_back(bench)
            self._apply(bench, moving=False)

    def is_drawn(self) -> bool:
        """Whether the clicked mask in view was changed by hand since."""
        bench = self.controller.bench
        spot = None if bench is None else _spot(bench)
        if bench is None or spot is None or not bench.session.clicks(spot):
            return False
        mask = bench.object_mask(spot.plane, spot.label)
        return bench.session.pending is None and bench.session.is_painted(spot, mask)

    def _goes_on(self, bench: Bench) -> bool:
        """Whether a change continues the last one, which is then replaced."""
        edit = self._edit
        if edit is None or edit is not bench.session.last:
            return False
        return bench.session.pending is None and _spot(bench) in edit.after.seen

    def _take_back(self, bench: Bench) -> None:
        assert self._edit is not None
        bench.session.retract()
        self._edit = None

    def _apply(self, bench: Bench, moving: bool) -> None:
        self._rough = False
        session, engine, spot = bench.session, self.controller.engine, _spot(bench)
        if spot is None or engine is None or not session.clicks(spot):
            return
        if session.pending is not None and not bench.options.auto:
            return  # clicks wait, and will be answered with these options
        if session.is_painted(spot, bench.object_mask(spot.plane, spot.label)):
            return  # what was drawn by hand is not the network's to change
        latest = engine.latest(bench.source(), spot)
        known = latest is not None and latest.steps == session.clicks(spot)
        exact = known and latest is not None and latest.chained(bench.options)
        self._rough = moving and not exact
        at_once = not session.waits(spot) and (exact or (moving and known))
        if moving and not at_once:
            return
        request = session.ask_again(spot, self._start or bench.options, bench.options)
        if not at_once or latest is None:
            self.controller.answers.predict()
            return
        from napari_simpleclick.answer import Answer

        start = time.perf_counter()
        job = self.controller.answers.job(bench, request)
        mask = job.finish(latest.probability())
        spent = 1000 * (time.perf_counter() - start)
        self.controller.answers.write(bench, Answer(request, mask, spent))
        self._edit = session.last


def _spot(bench: Bench) -> Spot | None:
    """Name the current object on the displayed slice; None if no slice is in view."""
    try:
        return bench.session.spot(bench.current_plane())
    except ValueError:
        return None
