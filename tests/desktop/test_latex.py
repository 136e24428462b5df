# ruff: noqa: RUF001
"""LaTeX tables compiled as a paper would hold them: in one column, in two, and in the two of a conference."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lsbench.core.quantity import Quantity, quantity
from lsbench.corruptions import NAMES
from lsbench.reports.latex import render
from lsbench.stats.seeds import Estimate
from lsbench.store.results import ResultsFolder
from lsbench.tables.cells import Cell, Column, Row
from lsbench.tables.columns import OTHER_DATA
from lsbench.tables.paper import paper_summary
from lsbench.tables.robustness import ERROR, CorruptionFigure
from lsbench.tables.summary import Summary, summarize
from lsbench.tables.view import View, apply_view

STORED = Path(__file__).parents[1] / "golden" / "results" / "golden" / "default"
CONFERENCE = r"""\documentclass[10pt,twocolumn,letterpaper]{article}
\usepackage{times}
\setlength{\textwidth}{6.875in}
\setlength{\textheight}{8.875in}
\setlength{\columnsep}{0.3125in}
\setlength{\oddsidemargin}{-0.1875in}
\setlength{\evensidemargin}{-0.1875in}
\setlength{\topmargin}{-0.5in}
"""
#: Name of a paper -> the value of --width, and the head of its file.
PAPERS = {
    "article": ("one-column", "\\documentclass{article}\n"),
    "article at 12 pt": ("one-column", "\\documentclass[12pt,a4paper]{article}\n"),
    "two columns": ("two-column", "\\documentclass[twocolumn]{article}\n"),
    "conference": ("3.25in,6.875in", CONFERENCE),
    "conference with T1": ("two-column", f"{CONFERENCE}\\usepackage[T1]{{fontenc}}\n"),
}
MIXERS = ["LS conv", "w/o LKP", "w/o SKA", "large + small static", "Involution", "CondConv", "identity"]
LETTERS = [
    "α=0.1, β≤2², Δ±µ",
    "Émile Ångström–Łukasz š ç ő ı ø ß",
    "x̄ → ∞ × ½ … “q” ‘x’ •",
    "& % $ # _ { } ~ ^ \\ < > | \" ' ` [x] *",
    "[0, 1] of 中文 and 🙂",
    "--flag ---x !` ?` ,, <<",
    "* star",
]
LONG = [
    "the large kernel looks at 7 x 7 pixels and the small one aggregates 3 x 3 of them, in every stage",
    "kernel_large=7_kernel_small=3_channels_per_group=8_stage=1234_seed=0_trained_for_100_epochs",
    *(f"a longer name of a row, number {n}" for n in range(3)),
]
FULL = ["top1", "ece", "params", "macs", "macs_paper", "latency_ms", "throughput"]


def make_summary(titles, metrics, *, published=(), on=(), corruptions=False, seeds=3, name="suite"):
    """Return a summary with a row per title: intervals of all shapes, published numbers beside ours."""
    rng = np.random.default_rng(len(titles))
    columns = []
    for metric in metrics:
        columns.append(Column(metric, quantity(metric), "p|res=224|fp32|v1"))
        if metric == "top1":
            columns.append(Column("top1_delta", quantity(metric), "p|res=224|fp32|v1", is_delta=True))
        if metric in published:
            columns.append(Column(f"{metric}_published", quantity(metric), "", is_published=True))
    columns += [
        Column(f"{data}_top1", quantity("top1"), "p", data, is_on_other_data=True, panel=OTHER_DATA)
        for data in on
    ]
    if corruptions:
        panel = "on corrupted images"
        columns += [
            Column(one, quantity(one), "p", panel=panel) for one in ("mce", "relative_mce", "clean_error")
        ]

    def cell(column):
        value = rng.uniform(0.2, 0.9) * {
            "params": 2e7,
            "macs": 2e9,
            "macs_paper": 2e9,
            "throughput": 1e4,
        }.get(column.quantity.name, 1.0)
        if column.is_published:
            return Cell(Estimate(value, None, None, 1), gap=0.01)
        if column.is_delta:
            return Cell(Estimate(-0.0017, -0.0916, 0.0883, seeds), expected=seeds)
        if column.quantity.is_counted:
            return Cell(Estimate(value, None, None, 1))
        return Cell(Estimate(value, 0.9 * value, rng.choice([1.1, 1.3]) * value, seeds), expected=seeds)

    rows = [Row(f"v{n}", title, n == 0, {c.key: cell(c) for c in columns}) for n, title in enumerate(titles)]
    for row in rows:
        row.cells["top1"] = Cell(row.cells["top1"].estimate, expected=seeds, rank=1)
    figures = [
        CorruptionFigure(
            row.variant, row.title, 0, "imagenet", "imagenet-c|v1", one, None, ERROR, 0.4, 50_000
        )
        for row in rows
        for one in (NAMES[:15] if corruptions else ())
    ]
    notes = [f"top-1 (%): imagenet|val|{'+'.join(NAMES)}|res=224|n=50000|v1."]
    source = "LSNet: See Large, Focus Small, arXiv:2503.23135" if published else ""
    return Summary(name, "default", "", "v0", False, columns, rows, notes, corruptions=figures, source=source)


def search():
    """Return the trials of a search, as a table of settings."""
    names = ["lr", "weight_decay", "smoothing", "optimizer"]
    columns = [Column(name, Quantity(name, "", None, name), "") for name in names]
    columns.append(Column("val_top1", quantity("val_top1"), ""))
    texts = {
        "lr": "0.000123456",
        "weight_decay": "0.025",
        "smoothing": "0.1",
        "optimizer": "sgd_momentum{0.9}",
    }
    cells = {
        **{name: Cell(None, text=text) for name, text in texts.items()},
        "val_top1": Cell(None, "waiting"),
    }
    rows = [Row("v", f"LS conv #{n}", False, cells) for n in range(60)]
    return Summary("search", "default", "", "v", False, columns, rows)


SUITES = {
    "ablations": lambda: [make_summary(MIXERS, FULL)],
    "ablations turned": lambda: [apply_view(make_summary(MIXERS, FULL), View(is_pivoted=True))],
    "published beside ours": lambda: [make_summary(MIXERS, FULL, published=FULL[:3] + FULL[4:])],
    "few rows, many columns": lambda: [
        make_summary(MIXERS[:2], [*FULL, "top5", "nll", "brier"], published=FULL)
    ],
    "robustness": lambda: [make_summary(MIXERS, ["top1"], on=("imagenet_a", "imagenet_r"), corruptions=True)],
    "long labels": lambda: [
        make_summary(LONG, FULL[:4], corruptions=True, name="a_long_name_of_a_suite_" * 4)
    ],
    "letters": lambda: [make_summary(LETTERS, ["top1"])],
    "many rows": lambda: [make_summary([f"trial {n}" for n in range(120)], FULL)],
    "search": lambda: [search()],
    "paper": lambda: [paper_summary(number, None) for number in range(1, 10)],
}


def compiled(text, head, folder):
    """Return what pdflatex says of a document with a text in it."""
    document = (
        f"{head}\\usepackage{{booktabs}}\n\\begin{{document}}\n\\listoftables\n{text}\n\\end{{document}}\n"
    )
    (folder / "table.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "table.tex"]
    made = subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False)
    log = (folder / "table.log").read_text(encoding="utf-8", errors="replace")
    assert made.returncode == 0, log[-2000:]
    return log


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    """The summary of a stored run, read from a copy: reading leaves derived files."""
    place = tmp_path_factory.mktemp("golden") / "golden" / "default"
    shutil.copytree(STORED, place)
    return summarize(ResultsFolder(place))


@pytest.mark.desktop
@pytest.mark.parametrize("is_bare", [False, True])
@pytest.mark.parametrize("paper", PAPERS)
def test_tables_fit_the_paper(paper, is_bare, golden, tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("needs pdflatex with booktabs")
    width, head = PAPERS[paper]
    if is_bare:  # one column is all that a tabular in the text has
        width = {"two-column": "219pt"}.get(width, width.split(",")[0])
    made = [golden, apply_view(golden, View(is_pivoted=True)), apply_view(golden, View(all_columns=True))]
    made += [summary for suite in SUITES.values() for summary in suite()]
    log = compiled(render(made, width=width, is_bare=is_bare), f"{head}\\parindent0pt\n", tmp_path)
    assert [points for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log) if float(points) > 1] == []
    assert re.findall(r"Missing character|Command .* unavailable|LaTeX Warning: Command", log) == []
    if not is_bare:  # a tabular may be longer than a page
        assert re.findall(r"Overfull \\vbox|Float too large", log) == []
