"""The command that reads a session back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_simpleclick.cli.common import example, one_sentence, progress_bar
from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from napari_simpleclick.workflow.replay import Replay

app = typer.Typer()


@app.command(epilog=example("replay knee.simpleclick -o knee.nii.gz --json -"))
@one_sentence
def replay(
    session: Annotated[Path, typer.Argument(help="Session file.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Where to write the masks.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--json", help="Objects and clicks; - prints.")
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(help="The image, if it is not where the session says."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Predict every click anew with this model; 'recorded' takes the one "
            "that each answer had, taught ones included."
        ),
    ] = None,
) -> None:
    """Turn a session into the masks that it ended with.

    With --weights the clicks are predicted again, by the same model or another one;
    what was painted and propagated stays as it was recorded.
    """
    from napari_simpleclick.images import files
    from napari_simpleclick.workflow.replay import replay_session

    if out is None and report is None:
        raise UserError("There is nothing to do; give -o FILE or --json FILE.")
    if out is not None:
        files.check_writable(out)
    if report is not None and str(report) != "-":
        files.check_writable(report, (".json",))
    with progress_bar(shown=weights is not None) as bar:
        task = bar.add_task("Events", total=None)
        result = replay_session(
            session,
            image,
            weights,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    if out is not None:
        files.write_labels(out, result.mask, result.source)
    if report is not None:
        text = json.dumps(_summary(result, weights), indent=2)
        if str(report) == "-":
            typer.echo(text)
        else:
            report.write_text(text + "\n")


def _summary(result: Replay, weights: str | None) -> dict[str, Any]:
    return {
        "image": result.about["image"],
        "weights": weights,
        "clicks": result.clicks,
        "objects": [
            {
                "label": label,
                "name": result.session.objects.style(label).name,
                "colour": result.session.objects.style(label).colour,
                "voxels": int((result.mask == label).sum()),
                "dice_with_recorded": round(result.agreement[label], 4),
            }
            for label in result.session.objects.labels()
        ],
    }
