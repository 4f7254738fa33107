"""Evaluation: the published protocol, its metrics and reports, and studies."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from napari_simpleclick.evaluate.annotator import Turn, annotate, next_click
    from napari_simpleclick.evaluate.case_list import read_cases
    from napari_simpleclick.evaluate.comparison import PairedTest, compare
    from napari_simpleclick.evaluate.datasets import Case, Options, find_cases
    from napari_simpleclick.evaluate.metrics import dice, iou
    from napari_simpleclick.evaluate.report import Strip, write_report
    from napari_simpleclick.evaluate.result import CaseResult, Result
    from napari_simpleclick.evaluate.run import choose_cases, draw_strips, robot
    from napari_simpleclick.evaluate.study import Study
    from napari_simpleclick.evaluate.study_report import report_study
    from napari_simpleclick.evaluate.worker import Settings

__all__ = [
    "Case",
    "CaseResult",
    "Options",
    "PairedTest",
    "Result",
    "Settings",
    "Strip",
    "Study",
    "Turn",
    "annotate",
    "choose_cases",
    "compare",
    "dice",
    "draw_strips",
    "find_cases",
    "iou",
    "next_click",
    "read_cases",
    "report_study",
    "robot",
    "write_report",
]

__getattr__, _, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "annotator": ["Turn", "annotate", "next_click"],
        "comparison": ["PairedTest", "compare"],
        "datasets": ["Case", "Options", "find_cases"],
        "metrics": ["dice", "iou"],
        "report": ["Strip", "write_report"],
        "result": ["CaseResult", "Result"],
        "run": ["choose_cases", "draw_strips", "robot"],
        "case_list": ["read_cases"],
        "study": ["Study"],
        "study_report": ["report_study"],
        "worker": ["Settings"],
    },
)
