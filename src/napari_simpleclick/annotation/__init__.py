"""What a person is doing: objects, clicks, undo, and the record of it all.

Neither Qt nor torch.
"""

from napari_simpleclick.annotate.change import Change
from napari_simpleclick.annotate.edits import Edit, Request, State, Step, Steps, Style
from napari_simpleclick.annotate.ledger import Notes, plain_name
from napari_simpleclick.annotate.options import Options
from napari_simpleclick.annotate.propagated import Note, Propagated
from napari_simpleclick.annotate.reading import Reading
from napari_simpleclick.annotate.recorder import Recorder
from napari_simpleclick.annotate.session import Session
from napari_simpleclick.annotate.spot import Mask, Spot, Stack, fingerprint
from napari_simpleclick.annotate.store import SUFFIX, Store
from napari_simpleclick.annotate.tally import Tally

__all__ = [
    "SUFFIX",
    "Change",
    "Edit",
    "Mask",
    "Note",
    "Notes",
    "Options",
    "Propagated",
    "Reading",
    "Recorder",
    "Request",
    "Session",
    "Spot",
    "Stack",
    "State",
    "Step",
    "Steps",
    "Store",
    "Style",
    "Tally",
    "fingerprint",
    "plain_name",
]
