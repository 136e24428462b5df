"""Drawn figures as files for papers: PDF and SVG, or PNG of 300 dpi, in the letters of a paper's column."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Format -> the suffixes of its files.
FORMATS = {"pdf": (".pdf",), "svg": (".svg",), "png": (".png",)}
DPI = 300
#: Width of a column, and the usual height, in inches.
SIZE = (3.25, 2.4)
#: What a file says of its making would differ from run to run.
_METADATA: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None},
    "png": {"Software": None},
}
#: Letters of 7 points, and letters in PDF files as journals take them (TrueType, not Type 3).
_STYLE: dict[str, Any] = {
    "font.size": 7.0,
    "axes.titlesize": "medium",
    "axes.linewidth": 0.5,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "pdf.fonttype": 42,
}


def create_pictures(draw: Callable[[Figure], None], name: str, formats: Iterable[str]) -> dict[str, bytes]:
    """Return a figure in some formats: the same bytes whenever the same is drawn.

    Args:
        draw: Draws into an empty figure of one column's width; it may change the size.
        name: Name of the figure.
        formats: Some of `FORMATS`.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    found = {}
    style: Any = {**_STYLE, "svg.hashsalt": name}  # otherwise element ids are random
    with mpl.rc_context(style):
        figure = Figure(figsize=SIZE, layout="constrained")
        draw(figure)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # the layout is the same for every format, and takes the longest
        for each in formats:
            file = BytesIO()
            figure.savefig(file, format=each, dpi=DPI, metadata=_METADATA[each])
            found[each] = file.getvalue()
    return found
