"""Locked objects keep their pixels, whoever paints on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Labels

    from napari_simpleclick.annotation import MaskChange, Session

LOCKED = "A locked object keeps its pixels; unlock it in the list to paint on it."


class PaintLock:
    """Takes back what someone has made of locked objects in a mask layer.

    Parameters
    ----------
    mask : napari.layers.Labels
        The mask.
    session : Session
        Says which objects are locked.
    refuse : callable
        Told why something that was painted is not in the labels.
    """

    def __init__(
        self, mask: Labels, session: Session, refuse: Callable[[str], None]
    ) -> None:
        self._mask, self._session, self._refuse = mask, session, refuse
        self._forbidden: list[MaskChange] = []

    def allowed(self, change: MaskChange) -> MaskChange | None:
        """Take back what a stroke has made of locked objects; give the rest.

        Parameters
        ----------
        change : MaskChange
            The stroke, which is in the layer already, or just about to be.

        Returns
        -------
        MaskChange or None
            None if nothing is left.
        """
        locked = self._session.objects.locked()
        forbidden = change.of_any(locked) if locked else None
        if forbidden is None:
            return change
        self._forbidden.append(forbidden)
        if forbidden.is_made(self._mask.data):
            self.restore()
        else:  # napari tells of some strokes just before it makes them
            QTimer.singleShot(0, self.restore)
        self._refuse(LOCKED)
        return change.without(locked)

    def restore(self) -> None:
        """Give locked objects back what was taken from them."""
        forbidden, self._forbidden = self._forbidden, []
        for change in forbidden:
            change.apply(self._mask.data, undo=True)
        if forbidden:
            self._mask.refresh()

    def without(self, change: MaskChange) -> MaskChange | None:
        """Leave locked objects out of a change, and say so; None if nothing is left."""
        locked = self._session.objects.locked()
        if not locked or change.of_any(locked) is None:
            return change
        self._refuse(LOCKED)
        return change.without(locked)
