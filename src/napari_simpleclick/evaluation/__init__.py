"""Evaluation: the published protocol, its metrics and reports, and studies."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from napari_simpleclick.evaluation.annotator import Turn, annotate, next_click
    from napari_simpleclick.evaluation.case_list import read_cases
    from napari_simpleclick.evaluation.case_options import CaseOptions
    from napari_simpleclick.evaluation.comparison import PairedTest, compare
    from napari_simpleclick.evaluation.datasets import Case, find_cases
    from napari_simpleclick.evaluation.metrics import dice, iou
    from napari_simpleclick.evaluation.protocol import evaluate
    from napari_simpleclick.evaluation.report import Strip, write_report
    from napari_simpleclick.evaluation.result import (
        CaseResult,
        Measured,
        Result,
        TaughtResult,
    )
    from napari_simpleclick.evaluation.run import choose_cases, draw_strips, robot
    from napari_simpleclick.evaluation.study import Study
    from napari_simpleclick.evaluation.study_report import report_study
    from napari_simpleclick.evaluation.taught_run import TeachSettings, robot_taught
    from napari_simpleclick.evaluation.worker import RobotSettings

__all__ = [
    "Case",
    "CaseOptions",
    "CaseResult",
    "Measured",
    "PairedTest",
    "Result",
    "RobotSettings",
    "Strip",
    "Study",
    "TaughtResult",
    "TeachSettings",
    "Turn",
    "annotate",
    "choose_cases",
    "compare",
    "dice",
    "draw_strips",
    "evaluate",
    "find_cases",
    "iou",
    "next_click",
    "read_cases",
    "report_study",
    "robot",
    "robot_taught",
    "write_report",
]

__getattr__, _, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "annotator": ["Turn", "annotate", "next_click"],
        "comparison": ["PairedTest", "compare"],
        "case_options": ["CaseOptions"],
        "datasets": ["Case", "find_cases"],
        "metrics": ["dice", "iou"],
        "protocol": ["evaluate"],
        "report": ["Strip", "write_report"],
        "result": ["CaseResult", "Measured", "Result", "TaughtResult"],
        "run": ["choose_cases", "draw_strips", "robot"],
        "case_list": ["read_cases"],
        "study": ["Study"],
        "study_report": ["report_study"],
        "taught_run": ["TeachSettings", "robot_taught"],
        "worker": ["RobotSettings"],
    },
)
