"""One page for a browser: tables to sort and filter, charts, pictures, and the provenance of each number.

The page is a single file that needs no network. Without scripts it still shows tables, notes and pictures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lsbench.core.errors import UsageError
from lsbench.rendering.cells import notes_of
from lsbench.reports._html.charts import chart_data
from lsbench.reports._html.classes import TITLES, class_data
from lsbench.reports._html.details import detail_data
from lsbench.reports._html.gallery import gallery
from lsbench.reports._html.mistakes import mistakes
from lsbench.reports._html.overview import overview
from lsbench.reports._html.peers import peers
from lsbench.reports._html.table import legend, table_data
from lsbench.reports._sections import SECTIONS
from lsbench.tables.frames.load import load_table
from lsbench.tables.summary import Summary
from lsbench.web.assets import content_policy, environment, packed, static

SCRIPTS = (
    "base.js",
    "inflate.js",
    "table.js",
    "save.js",
    "details.js",
    "plots.js",
    "charts.js",
    "robustness.js",
    "classes.js",
    "print.js",
    "report.js",
)
#: The sections of a suite in their order, each with its heading.
HEADINGS = {
    "table": "Table",
    "pareto": "Accuracy against cost",
    "compare": "Comparison with intervals",
    **{name.replace(" ", "-"): name.capitalize() for name in SECTIONS},
    "classes": "Classes and calibration",
    "mistakes": "Images on which a row and the baseline disagree",
    "gallery": "Pictures of the analyses",
}
#: Sections that are one chart: its script shows them.
SCRIPTED = ("pareto", "compare")
#: Rows in the static page; its script shows more on demand.
FIRST_ROWS = 100


def render(summaries: Sequence[Summary]) -> str:
    """Return one self-contained HTML page; an empty text without summaries."""
    if not summaries:
        return ""
    script, (plotly, packed_plotly) = static(*SCRIPTS), _plotly()
    page = environment().get_template("report.html")
    return (
        page.render(
            title=", ".join(dict.fromkeys(summary.suite for summary in summaries)),
            suites=[_suite(summary, number) for number, summary in enumerate(summaries)],
            style=static("page.css", "report.css"),
            script=script,
            plotly=packed_plotly,
            policy=content_policy([script, plotly]),
            first_rows=FIRST_ROWS,
            headings=HEADINGS,
        ).rstrip()
        + "\n"
    )


@cache
def _plotly() -> tuple[str, str]:
    """Return plotly.js from its package, and the same compressed.

    Raises:
        UsageError: If plotly is not installed.
    """
    found = find_spec("plotly")
    path = Path(found.origin).parent / "package_data/plotly.min.js" if found and found.origin else None
    if path is None or not path.is_file():
        raise UsageError("--format html: needs the package plotly; install it with `pip install plotly`")
    text = path.read_text(encoding="utf-8")
    return text, packed(text)


def _suite(summary: Summary, number: int) -> dict[str, Any]:
    """Return the template's data for one summary."""
    table = load_table([summary.folder] if summary.folder else [])
    below = summary if summary.has_sections else replace(summary, folder=None)
    pictures, gallery_notes = gallery(below.folder, table if below.folder else load_table([]))
    data = {**table_data(summary), "peers": peers(summary), "first_rows": FIRST_ROWS}
    details, charts = detail_data(table, summary.folder), chart_data(summary)
    classes = class_data(below, table)
    charts["classes"] = {"ways": classes["ways"]}
    images = mistakes(below, table)
    found = list(_sections(summary))
    present = {
        *("table", *SCRIPTED, *(section["name"] for section in found)),
        *(["classes"] if classes["table"] else []),
        *(["mistakes"] if images["rows"] or images["notes"] else []),
        *(["gallery"] if pictures or gallery_notes else []),
    }
    return {
        "id": f"s{number}",
        "summary": summary,
        "overview": overview(summary, table),
        "table": data,
        "legend": legend(data["rows"][:FIRST_ROWS]),
        "packed_table": packed(_compact(data)),
        "details": packed(_compact(details)),
        "charts": packed(_compact(charts)),
        "has_details": bool(details["jobs"]),
        "notes": [
            *notes_of(summary, is_marked=False, is_whole=True),
            *charts["notes"],
            *details["notes"],
        ],
        "contents": [(name, name in SCRIPTED) for name in HEADINGS if name in present],
        "sections": found,
        "classes": {
            "titles": TITLES,
            "table": classes["table"][:FIRST_ROWS],
            "more": max(len(classes["table"]) - FIRST_ROWS, 0),
            "notes": classes["notes"],
        },
        "mistakes": images,
        "pictures": pictures,
        "gallery_notes": gallery_notes,
    }


def _compact(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _sections(summary: Summary) -> Iterator[dict[str, Any]]:
    """Yield the sections below the main table, each with the number of rows that are left out."""
    for name, table in SECTIONS.items():
        found = table(summary)
        if found is not None:
            titles, rows, notes = found
            yield {
                "name": name.replace(" ", "-"),
                "titles": titles,
                "rows": rows[:FIRST_ROWS],
                "more": max(len(rows) - FIRST_ROWS, 0),
                "notes": notes,
            }


#: The suffixes of its files.
SUFFIXES = (".html", ".htm")
REPORT = render
