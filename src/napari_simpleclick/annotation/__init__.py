"""What a person is doing: objects, prompts, masks, undo. Neither Qt nor torch."""

from napari_simpleclick.annotation.history import Edit, EditState, ObjectStyle
from napari_simpleclick.annotation.mask_change import MaskChange
from napari_simpleclick.annotation.mask_options import MaskOptions
from napari_simpleclick.annotation.object_action import ObjectAction
from napari_simpleclick.annotation.object_slice import (
    Mask,
    ObjectSlice,
    ObjectStack,
    fingerprint,
    hidden_axes,
)
from napari_simpleclick.annotation.objects import Objects, plain_name
from napari_simpleclick.annotation.placed_prompt import PlacedPrompt, PlacedPrompts
from napari_simpleclick.annotation.prediction_settings import PredictionSettings
from napari_simpleclick.annotation.propagated import (
    Propagated,
    PropagatedSlice,
    PropagatedSlices,
)
from napari_simpleclick.annotation.proposals import (
    Proposal,
    Proposals,
    ProposalStates,
    Verdict,
)
from napari_simpleclick.annotation.requests import Request, Requests
from napari_simpleclick.annotation.session import Session
from napari_simpleclick.annotation.voxel_counts import VoxelCounts

__all__ = [
    "Edit",
    "EditState",
    "Mask",
    "MaskChange",
    "MaskOptions",
    "ObjectAction",
    "ObjectSlice",
    "ObjectStack",
    "ObjectStyle",
    "Objects",
    "PlacedPrompt",
    "PlacedPrompts",
    "PredictionSettings",
    "Propagated",
    "PropagatedSlice",
    "PropagatedSlices",
    "Proposal",
    "ProposalStates",
    "Proposals",
    "Request",
    "Requests",
    "Session",
    "Verdict",
    "VoxelCounts",
    "fingerprint",
    "hidden_axes",
    "plain_name",
]
