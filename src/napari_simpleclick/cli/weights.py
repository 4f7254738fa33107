"""Commands about the models and their files."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer
from rich.table import Column, Table

from napari_simpleclick.cli.common import console, example, one_sentence
from napari_simpleclick.errors import UserError

app = typer.Typer(no_args_is_help=True, help="The models and their files.")


@app.command("list", epilog=example("weights list"))
@one_sentence
def weights_list() -> None:
    """List the models, whether they are here, their size and licence."""
    from napari_simpleclick.weights.catalogue import BUNDLED, catalogue
    from napari_simpleclick.weights.store import described, is_local

    names = [Column(name, no_wrap=True) for name in ("Name", "Here", "Size")]
    table = Table(*names, "Licence", box=None)
    for card in catalogue().values():
        size = described(card).bytes
        table.add_row(
            f"{card.name} (bundled)" if card.name == BUNDLED else card.name,
            "yes" if is_local(card) else "no",
            f"{size / 1e6:.1f} MB" if size else "unknown",
            card.terms,
        )
    console.print(table)


@app.command("info", epilog=example("weights info bundled"))
@one_sentence
def weights_info(name: str) -> None:
    """Show everything known about a model or a weights file."""
    from dataclasses import asdict

    from napari_simpleclick.weights import find_card, load_weights
    from napari_simpleclick.weights.store import described

    known = find_card(name)
    card = described(known) if known else load_weights(name)[1]
    table = Table(show_header=False, box=None)
    for key, value in asdict(card).items():
        table.add_row(key, str(value or "unknown"))
    console.print(table)


@app.command("get", epilog=example("weights get cocolvis_vit_base"))
@one_sentence
def weights_get(
    name: str,
    browser: Annotated[
        bool, typer.Option(help="Open the page of files that have no address.")
    ] = True,
) -> None:
    """Download a model, or open the page where it can be fetched by hand."""
    from napari_simpleclick.weights import (
        WeightsError,
        catalogue,
        download,
        find_card,
        is_local,
        locate,
    )

    card = find_card(name)
    if card is None:
        raise UserError(
            f"There are no weights '{name}'; choose one of {', '.join(catalogue())}."
        )
    try:
        path = locate(card) if is_local(card) else download(card, progress=True)
    except WeightsError:
        if card.page and not card.url and browser:
            webbrowser.open(card.page)
        raise
    typer.echo(str(path))
