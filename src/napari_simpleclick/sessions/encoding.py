"""JSON values of what a session file holds; ``docs/sessions.md`` describes them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from napari_simpleclick.annotation.history import (
    Edit,
    EditState,
    ObjectStyle,
    OptionsChange,
)
from napari_simpleclick.annotation.mask_options import MaskOptions
from napari_simpleclick.annotation.object_action import ObjectAction
from napari_simpleclick.annotation.object_slice import ObjectSlice
from napari_simpleclick.annotation.packing import pack_mask, unpack_mask
from napari_simpleclick.annotation.prediction_settings import PredictionSettings
from napari_simpleclick.annotation.propagated import PropagatedSlice
from napari_simpleclick.annotation.proposals import Proposal, Verdict
from napari_simpleclick.annotation.requests import Request
from napari_simpleclick.images.planes import Plane
from napari_simpleclick.images.viewport import Viewport
from napari_simpleclick.weights.catalogue import BUNDLED_BEFORE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_simpleclick.annotation.mask_change import MaskChange
    from napari_simpleclick.annotation.placed_prompt import PlacedPrompt, PlacedPrompts

    Ids = Callable[[PlacedPrompts], list[int]]
    Found = Mapping[int, PlacedPrompt]

OPTIONS = TypeAdapter(MaskOptions)
"""To and from JSON; options that this version does not know are left out."""

OPTIONS_CHANGE: TypeAdapter[OptionsChange | None] = TypeAdapter(OptionsChange | None)
SETTINGS: TypeAdapter[PredictionSettings | None] = TypeAdapter(
    PredictionSettings | None
)

VIEWPORT: TypeAdapter[Viewport | None] = TypeAdapter(Viewport | None)
"""To and from ``row_min``, ``row_max``, ``column_min`` and ``column_max``."""


ACTION: TypeAdapter[ObjectAction | None] = TypeAdapter(ObjectAction | None)

PLAIN = asdict(ObjectStyle())


def encode_request(request: Request, ids: Ids) -> dict[str, Any]:
    """Give the JSON value of a request.

    Parameters
    ----------
    request : Request
        The request.
    ids : callable
        Gives the ids in the file of prompts.
    """
    rest = request.rest
    return {
        "number": request.number,
        "object_slice": _encode_place(request.object_slice),
        "before": ids(request.before),
        "prompts": ids(request.prompts),
        "rest": None if rest is None else pack_mask(rest).hex(),
        "options": OPTIONS_CHANGE.dump_python(request.options, mode="json"),
    }


def decode_request(detail: dict[str, Any], found: Found) -> Request:
    """Read what :func:`encode_request` gave; ``found`` holds the prompts by id."""
    before, prompts = (
        tuple(found[id_] for id_ in detail[key]) for key in ("before", "prompts")
    )
    rest = detail["rest"]
    return Request(
        detail["number"],
        _decode_place(detail["object_slice"]),
        before,
        prompts,
        None if rest is None else unpack_mask(bytes.fromhex(rest)),
        OPTIONS_CHANGE.validate_python(detail["options"]),
    )


def encode_edit(edit: Edit, ids: Ids) -> dict[str, Any]:
    """Give the JSON value of an edit, all but its change of the mask."""
    value = {
        "name": edit.name,
        "before": _encode_state(edit.before, ids),
        "after": _encode_state(edit.after, ids),
        "options": OPTIONS_CHANGE.dump_python(edit.options, mode="json"),
        "settings": SETTINGS.dump_python(edit.settings, mode="json"),
    }
    if edit.action is not None:
        value["action"] = ACTION.dump_python(edit.action, mode="json")
    return value


def decode_edit(
    detail: dict[str, Any], change: MaskChange | None, found: Found
) -> Edit:
    """Read what :func:`encode_edit` gave."""
    return Edit(
        detail["name"],
        _decode_state(detail["before"], found),
        _decode_state(detail["after"], found),
        change,
        OPTIONS_CHANGE.validate_python(detail["options"]),
        _decode_settings(detail["settings"]),
        ACTION.validate_python(detail.get("action")),
    )


def _decode_settings(detail: Any) -> PredictionSettings | None:
    settings = SETTINGS.validate_python(detail)
    if settings is not None and settings.model == "bundled":
        return replace(settings, model=BUNDLED_BEFORE)
    return settings


def _encode_state(state: EditState, ids: Ids) -> dict[str, Any]:
    value: dict[str, Any] = {
        "prompts": [
            [_encode_place(where), ids(placed)]
            for where, placed in state.prompts.items()
        ],
        "answered": [
            [_encode_place(where), fingerprint.hex()]
            for where, fingerprint in state.answered.items()
        ],
        "propagated": [
            [_encode_place(where), one and [one.fingerprint.hex(), one.confidence]]
            for where, one in state.propagated.items()
        ],
        "styles": [[k, _encode_style(style)] for k, style in state.styles.items()],
        "proposals": [
            [number, None if one is None else _encode_proposal(one)]
            for number, one in state.proposals.items()
        ],
    }
    if state.order is not None:
        value["order"] = state.order
    return value


def _encode_style(style: ObjectStyle) -> dict[str, Any]:
    """Give the JSON value of a style, without what is new in it and as usual."""
    return {
        key: value
        for key, value in asdict(style).items()
        if key in ("name", "colour") or value != PLAIN[key]
    }


def _decode_state(detail: dict[str, Any], found: Found) -> EditState:
    return EditState(
        {
            _decode_place(where): tuple(found[id_] for id_ in ids)
            for where, ids in detail["prompts"]
        },
        {
            _decode_place(where): bytes.fromhex(fingerprint)
            for where, fingerprint in detail["answered"]
        },
        {
            _decode_place(where): one and PropagatedSlice(bytes.fromhex(one[0]), one[1])
            for where, one in detail["propagated"]
        },
        {label: ObjectStyle(**style) for label, style in detail["styles"]},
        {
            number: None if one is None else _decode_proposal(one)
            for number, one in detail.get("proposals", ())  # older files lack them
        },
        tuple(detail["order"]) if "order" in detail else None,
    )


def _encode_proposal(one: Proposal) -> dict[str, Any]:
    return {
        "plane": [one.plane.axes, one.plane.index],
        "corner": one.corner,
        "mask": one.packed.hex(),
        "score": one.score,
        "seed": one.seed,
        "kind": one.kind,
        "verdict": one.verdict.value,
    }


def _decode_proposal(detail: dict[str, Any]) -> Proposal:
    (first, second), index = detail["plane"]
    (row, column), (seed_row, seed_column) = detail["corner"], detail["seed"]
    return Proposal(
        Plane((first, second), tuple(index)),
        (row, column),
        bytes.fromhex(detail["mask"]),
        detail["score"],
        (seed_row, seed_column),
        detail.get("kind"),  # older files lack it
        Verdict(detail["verdict"]),
    )


def _encode_place(where: ObjectSlice) -> list[Any]:
    return [where.label, where.plane.axes, where.plane.index]


def _decode_place(value: list[Any]) -> ObjectSlice:
    label, (first, second), index = value
    return ObjectSlice(label, Plane((first, second), tuple(index)))
