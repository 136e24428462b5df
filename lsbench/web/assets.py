"""Embed data, styles and scripts in a page that works offline, with text escaped."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

FOLDER = Path(__file__).resolve().parent


@cache
def environment() -> Environment:
    """Return the environment of the package's templates; values are escaped, unknown names are errors."""
    loader = FileSystemLoader(FOLDER / "templates")
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


@cache
def static(*names: str) -> Markup:
    """Return the joined style or script files of the package, to embed in a page unchanged."""
    texts = ((FOLDER / "static" / name).read_text(encoding="utf-8") for name in names)
    return Markup("\n".join(texts))  # noqa: S704 - files of the package


def packed(text: str) -> str:
    """Return text compressed with gzip and encoded in base64; the same text gives the same result."""
    return base64.b64encode(gzip.compress(text.encode(), 5, mtime=0)).decode("ascii")


def script_hash(script: str) -> str:
    """Return the hash of a script as a source of a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')}'"


def content_policy(scripts: Sequence[str], *, connect: str = "'none'") -> str:
    """Return a content security policy that allows only these scripts and loads nothing else.

    Args:
        scripts: The whole text of each script.
        connect: Source from which scripts may fetch data.
    """
    allowed = " ".join(map(script_hash, scripts)) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        f"connect-src {connect}; base-uri 'none'; form-action 'none'"
    )
