"""How good the mask is, click by click, where the truth is known."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import create_widget
from napari.layers import Labels
from qtpy.QtWidgets import QCheckBox, QFormLayout, QLabel

from napari_simpleclick.plugin.sections.section import Section

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.annotation import ObjectSlice, PlacedPrompt, Session
    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.workflow.engine import Answer

CHOOSE = "Choose a labels layer with the true mask."


class ReferenceSection(Section):
    """Choice of a reference mask, and IoU, Dice, clicks and seconds against it.

    The object is that of the reference under the first positive click.

    Parameters
    ----------
    controller : Controller
        Whose answers are measured.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__("Compare with a reference", controller)
        self.choice = create_widget(annotation=Labels | None, name="reference")
        self.hide = QCheckBox("Hide it while annotating")
        self.choice.native.setToolTip("A labels layer with the true mask")
        self.hide.setToolTip("So that the truth does not guide the clicks")
        self.score = QLabel(CHOOSE)
        self.score.setWordWrap(True)
        self._began: dict[ObjectSlice, float] = {}
        self._object_slice: ObjectSlice | None = None
        self._session: Session | None = None
        self._hidden: Labels | None = None
        form = QFormLayout()
        form.addRow("Reference", self.choice.native)
        self.inside.addLayout(form)
        self.inside.addWidget(self.hide)
        self.inside.addWidget(self.score)
        self.choice.changed.connect(self._on_choice)
        self.hide.toggled.connect(self._on_hide)
        self.workflow.prompted.connect(self._on_click)
        self.workflow.queue.answered.connect(self._on_answer)
        self.workflow.changed.connect(self._on_changed)

    def reset_choices(self) -> None:
        """Follow the labels layers of the viewer."""
        self.choice.reset_choices()

    def _on_choice(self) -> None:
        self._on_hide(self.hide.isChecked())
        if self.choice.value is None:
            self.score.setText(CHOOSE)
        elif self._object_slice is None:
            self.score.setText("Click on an object.")
        else:
            self._update()

    def _on_hide(self, hidden: bool) -> None:
        """Hide the reference; one that is no longer the reference is shown again."""
        if self._hidden is not None:
            self._hidden.visible, self._hidden = True, None
        if hidden and self.choice.value is not None:
            self._hidden = self.choice.value
            self._hidden.visible = False

    def _on_changed(self) -> None:
        """Follow the controller to another image."""
        canvas = self.controller.canvas
        session = canvas.session if canvas is not None else None
        if session is not self._session:
            if self._session is not None:
                self._session.changed.disconnect(self._update)
            self._session, self._object_slice = session, None
            if session is not None:
                session.changed.connect(self._update)

    def _on_click(self, object_slice: ObjectSlice, step: PlacedPrompt) -> None:
        if self._session is not None and self._session.objects.placed(object_slice) == (
            step,
        ):
            self._began[object_slice] = monotonic()

    def _on_answer(self, answer: Answer) -> None:
        self._object_slice = answer.request.object_slice
        self._update()

    def _update(self) -> None:
        """Measure the mask that is there now."""
        if self.choice.value is not None and self._object_slice is not None:
            self.score.setText(self._measure(self.choice.value, self._object_slice))

    def _measure(self, reference: Labels, object_slice: ObjectSlice) -> str:
        canvas = self.controller.canvas
        if canvas is None:
            return ""
        if reference is canvas.mask:
            return "That is the mask itself; choose a layer with the true mask."
        shape = canvas.mask.data.shape
        truth = _of_shape(reference.data, shape, canvas.options.channel_axis)
        if truth is None:
            return (
                f"The reference has shape {reference.data.shape}, the mask {shape}; "
                "choose a reference of the same shape."
            )
        from napari_simpleclick.evaluation.metrics import dice, iou
        from napari_simpleclick.inference.prompt_pixels import as_clicks

        prompts = [step.prompt for step in canvas.session.objects.placed(object_slice)]
        labels = np.asarray(object_slice.plane.read(truth))
        size = labels.shape[0], labels.shape[1]
        places = [
            (round(click.row), round(click.column))
            for prompt in prompts
            for click in as_clicks(prompt, size, spacing_px=1)
            if click.positive
        ]
        label = labels[places[0]] if places else 0
        if label == 0:
            return "The reference has no object under the first click."
        mask = canvas.object_mask(object_slice.plane, object_slice.label)
        overlap = iou(mask, (labels == label).astype(np.int32))
        seconds = monotonic() - self._began.get(object_slice, monotonic())
        return (
            f"IoU {overlap:.3f} · Dice {dice(overlap):.3f} · {len(prompts)} "
            f"click{'s' * (len(prompts) != 1)} · {seconds:.0f} s"
        )


def _of_shape(
    labels: NDArray[Any], shape: tuple[int, ...], channel_axis: int | None
) -> NDArray[Any] | None:
    """Give labels without channels, or for all times, the shape of a mask.

    None if their axes have other lengths.
    """
    ways = [labels]
    if channel_axis is not None and labels.ndim == len(shape) - 1:
        ways.append(np.expand_dims(labels, channel_axis))
    fitting = (one for one in ways if _spreads(one.shape, shape))
    return next((np.broadcast_to(one, shape) for one in fitting), None)


def _spreads(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether an array can be repeated along axes it lacks or has once."""
    last = wanted[len(wanted) - len(shape) :]
    return len(shape) <= len(wanted) and all(
        own in (1, length) for own, length in zip(shape, last, strict=True)
    )
