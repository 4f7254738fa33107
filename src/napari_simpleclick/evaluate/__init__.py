"""Evaluation: the robot annotator of the published protocol and its metrics."""

from napari_simpleclick.evaluate.robot import Turn, annotate, iou, next_click

__all__ = ["Turn", "annotate", "iou", "next_click"]
