"""The script that sorts the tables of a page, and the policy that allows it alone."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from markupsafe import Markup


def sorting_script() -> Markup:
    """Give the element that lets tables of class ``sortable`` be sorted by a click."""
    return Markup("<script>") + Markup(_script()) + Markup("</script>")


def page_policy() -> str:
    """Give a content security policy: pictures and styles inside, and that script."""
    digest = hashlib.sha256(_script().encode()).digest()
    allowed = f"'sha256-{base64.b64encode(digest).decode()}'"
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src {allowed}"
    )


def _script() -> str:
    return files(__package__).joinpath("sorting.js").read_text("utf-8")
