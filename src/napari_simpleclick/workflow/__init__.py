"""From the requests of a session to masks, one after the other; no Qt."""

from napari_simpleclick.answer.engine import Answer, Engine, Job, Latest
from napari_simpleclick.answer.loan import Loan, Stopped

__all__ = ["Answer", "Engine", "Job", "Latest", "Loan", "Stopped"]
