"""An executor whose work is done when a test says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_simpleclick.workflow import InlineExecutor

if TYPE_CHECKING:
    from collections.abc import Callable


class HeldExecutor(InlineExecutor):
    """Does nothing before it is told to, as long as it is ``holding``."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Callable[[], None]] = []
        self.holding = True

    def call_soon(self, call: Callable[[], None]) -> None:
        """Keep it for later, or call it at once."""
        if self.holding:
            self.held.append(call)
        else:
            super().call_soon(call)

    def release(self, count: int = 1) -> None:
        """Do what was asked for first."""
        for _ in range(count):
            self.held.pop(0)()

    def release_all(self) -> None:
        """Do all that was asked for, and at once what is asked for from now on."""
        self.holding = False
        held, self.held = self.held, []
        for call in held:
            super().call_soon(call)
