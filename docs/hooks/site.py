"""Hooks of MkDocs: fill in the generated parts of pages, and take in pages from outside of ``docs/``."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

import command_line
import suite_keys
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]

#: Marker line in a page -> function that gives the Markdown that takes its place.
GENERATED = {
    "<!-- generated: command line -->": command_line.to_markdown,
    "<!-- generated: suite keys -->": suite_keys.to_markdown,
}
#: Page of the site -> file of the repository that it shows.
TAKEN_IN = {"benchmarks.md": "benchmarks/README.md", "contributing.md": "CONTRIBUTING.md"}

#: A role of Sphinx in a docstring, e.g. :class:`Metric`, as it comes out.
_ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):<code>(~?)([\w.]+)</code>")
_LINK = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that lie outside of ``docs/``."""
    for page, source in TAKEN_IN.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return a page with its generated parts filled in and with links that hold on the site."""
    for marker, generate in GENERATED.items():
        if marker in markdown:
            markdown = markdown.replace(marker, generate())
    source = TAKEN_IN.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return _LINK.sub(lambda found: _on_site(found, posixpath.dirname(source)), markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Return a page with the names that docstrings refer to as plain code."""
    return _ROLE.sub(
        lambda found: f"<code>{found[2].rpartition('.')[2] if found[1] else found[2]}</code>", html
    )


def _on_site(found: re.Match[str], folder: str) -> str:
    """Return a link as the site can follow it; a file that is not on the site is only named."""
    target, anchor = found["target"], found["anchor"] or ""
    if "://" in target or target.startswith("mailto:"):
        return found[0]
    inside = posixpath.normpath(posixpath.join(folder, target))
    for page, source in TAKEN_IN.items():
        if inside == source:
            return f"[{found['text']}]({page}{anchor})"
    if inside.startswith("docs/"):
        return f"[{found['text']}]({inside.removeprefix('docs/')}{anchor})"
    return found["text"] if "`" in found["text"] else f"{found['text']} (`{inside}`)"
