"""The command that goes through a volume."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_simpleclick.cli.common import (
    ModeOption,
    WeightsOption,
    example,
    one_sentence,
    progress_bar,
    saved,
    warn,
)
from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.propagation import PropagatedLabels

app = typer.Typer()


@app.command(epilog=example("propagate scan.nii --mask m.nii --axis 2 -o object.nii"))
@one_sentence
def propagate(
    volume: Annotated[Path, typer.Argument(help="Volume file, or DICOM folder.")],
    mask: Annotated[
        Path,
        typer.Option(
            help="Annotation: one slice, or a volume with annotated slices. Of several "
            "labels each is an object, and all are carried at once."
        ),
    ],
    axis: Annotated[int, typer.Option(help="Axis that the slices follow, 0 to 2.")],
    slice_: Annotated[
        int | None,
        typer.Option("--slice", help="Annotated slice to start from; default all."),
    ] = None,
    label: Annotated[
        int | None, typer.Option(min=1, help="The only label of the mask to carry.")
    ] = None,
    range_: Annotated[
        str | None,
        typer.Option("--range", help="LO:HI, first and last slice to fill in."),
    ] = None,
    least_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Stop where it is less sure.")
    ] = 0.5,
    weights: WeightsOption = "bundled",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Where to write the mask.")
    ] = None,
    mode: ModeOption = "fast",
    report: Annotated[
        Path | None, typer.Option("--json", help="Confidence of every slice; - prints.")
    ] = None,
) -> None:
    """Carry the mask of an annotated slice through a volume.

    Every slice gets a confidence; it stops where the object ends or the confidence is
    low. Between two annotated slices it goes from both. The mask overlays the volume.
    """
    from napari_simpleclick.images import files, lazy_array
    from napari_simpleclick.images.source import Source
    from napari_simpleclick.inference import Predictor
    from napari_simpleclick.inference.modes import Mode
    from napari_simpleclick.propagation import propagate_labels
    from napari_simpleclick.weights import load_weights

    if out is None and report is None:
        raise UserError("There is nothing to do; give -o FILE or --json FILE.")
    low, high = _parse_range(range_)
    image = files.read_image(volume)
    if out is not None:
        series = (".dcm",) if image.files else ()
        files.check_writable(out, (*files.VOLUMES, *series))
    if report is not None and str(report) != "-":
        files.check_writable(report, (".json",))
    warn(image.warnings)
    flat = image.as_volume()
    array = flat.array
    if lazy_array.fits_memory(array.nbytes):
        array = array[...]
    if len(flat.shape) != 3:
        raise UserError(
            f"'{volume}' has the shape {image.shape} and is no volume; give one with "
            "three axes, such as one of its times or channels."
        )
    labels = files.read_labels(mask, flat, lambda sentence: warn([sentence]))
    annotation = _chosen(labels, label)
    chosen = Mode.named(mode)
    predictor = Predictor(
        load_weights(weights)[0], precision=chosen.precision, flip=chosen.flip
    )
    warn(filter(None, [predictor.accelerate() if chosen.accelerated else ""]))
    started = time.perf_counter()
    with progress_bar() as bar:
        task = bar.add_task("Slices", total=None)
        result = propagate_labels(
            predictor,
            array,
            annotation,
            axis,
            slice_,
            low=low,
            high=high,
            spacing=tuple(image.pixel_size(0, axis)[1] for axis in range(3)),
            least_confidence=least_confidence,
            report=lambda _: bar.advance(task),
        )
    seconds = time.perf_counter() - started
    if out is not None:
        source = Source.of_file(image)
        found = result.labels.reshape(image.shape)
        files.write_labels(out, source.to_layer(found), source)
    if report is not None:
        text = json.dumps(_summary(result, seconds, weights), indent=2)
        if str(report) == "-":
            typer.echo(text)
        else:
            report.write_text(text + "\n")
    if out is not None:
        saved(out, _described(result), aside=str(report) == "-")
    elif str(report) != "-":
        assert report is not None
        saved(report, _described(result))


def _parse_range(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    try:
        low, high = (int(part) if part else None for part in text.split(":"))
    except ValueError:
        raise UserError(
            f"'{text}' is not a range; write LO:HI such as 10:40."
        ) from None
    return low, high


def _chosen(labels: NDArray[Any], label: int | None) -> NDArray[Any]:
    """Labels to carry: one that was asked for, or all; a single one becomes 1."""
    import numpy as np

    present = [int(one) for one in np.unique(labels) if one > 0]
    if label is not None:
        if label not in present:
            known = ", ".join(str(one) for one in present) or "none"
            raise UserError(f"The mask has no label {label}; it has {known}.")
        return np.where(labels == label, labels, 0)
    if len(present) < 2:
        return (labels > 0).astype(np.uint8)
    return np.where(labels > 0, labels, 0)


def _described(result: PropagatedLabels) -> str:
    """How large the objects are, and which slices they fill."""
    import numpy as np

    filled = sorted(
        {one for own in result.annotated.values() for one in own}
        | {one for own in result.confidence.values() for one in own}
    )
    count = f"{np.count_nonzero(result.labels):,} voxels on "
    if len(result.annotated) > 1:
        count = f"{len(result.annotated)} objects, {count}"
    if len(filled) == 1:
        return f"{count}slice {filled[0]} alone; no neighbour was sure enough"
    return f"{count}{len(filled)} slices from {filled[0]} to {filled[-1]}"


def _summary(result: PropagatedLabels, seconds: float, weights: str) -> dict[str, Any]:
    """Make the report; with several objects it has a part for each."""
    import numpy as np

    about = {label: _about(result, label) for label in result.annotated}
    end = {
        "voxels": int(np.count_nonzero(result.labels)),
        "seconds": round(seconds, 2),
    }
    if len(about) == 1:
        return {"weights": weights, **next(iter(about.values())), **end}
    objects = {
        str(label): {**one, "voxels": int(np.count_nonzero(result.labels == label))}
        for label, one in about.items()
    }
    return {"weights": weights, "objects": objects, **end}


def _about(result: PropagatedLabels, label: int) -> dict[str, Any]:
    confidence, endings = result.confidence[label], result.endings[label]
    return {
        "annotated": list(result.annotated[label]),
        "confidence": {str(k): round(c, 3) for k, c in confidence.items()},
        "endings": [[index, ending.value] for index, ending in endings],
    }
