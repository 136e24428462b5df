"""The formats of a judgement, by name."""

from __future__ import annotations

from collections.abc import Callable

from lsbench.gate import render_console, render_json, render_junit, render_markdown
from lsbench.gate.judge import Judgement

RENDERERS: dict[str, Callable[[Judgement], str]] = {
    "console": render_console.render,
    "markdown": render_markdown.render,
    "json": render_json.render,
    "junit": render_junit.render,
}
