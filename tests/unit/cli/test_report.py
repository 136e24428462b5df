import io
import json
import sys

import pandas as pd
import pytest

from lsbench.cli.main import run_command
from lsbench.core.registry import REPORTS
from lsbench.store.standing import Standing


@pytest.fixture
def call(capsys):
    """Run `lsbench report`; return exit code, stdout and stderr."""

    def run(*arguments):
        code = run_command(["report", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def results(tiny, make_graph, fill_store, records_of):
    def records(job):
        top1 = 0.7 if job.variant.name == "id" else 0.6
        return records_of(job, top1=top1 * (1 + (job.seed or 0) / 1000))

    fill_store(make_graph({**tiny, "name": "other"}), records)
    return fill_store(make_graph(tiny), records).root.parents[1]


def tables(out):
    return json.loads(out)["tables"]


def test_several_suites_by_name_each_once(call, results):
    code, out, _ = call("tiny", "other", "tiny", "--results", results, "--format", "json")
    assert (code, [table["suite"] for table in tables(out)]) == (0, ["tiny", "other"])
    assert [table["suite"] for table in tables(call("--results", results, "--format", "json")[1])] == [
        "other",
        "tiny",
    ]


def test_a_view_of_a_suite_in_every_format(call, results):
    view = ("--rows", "l*", "--rows", "id", "--columns", "params", "--columns", "top1", "--sort-by", "top1")
    _, out, _ = call("tiny", "--results", results, "--format", "json", *view)
    assert [row["variant"] for row in tables(out)[0]["rows"]] == ["id", "ls"]
    assert [column["key"] for column in tables(out)[0]["columns"]] == ["params", "top1"]
    _, out, _ = call("tiny", "--results", results, "--format", "json", *view, "--ascending")
    assert [row["variant"] for row in tables(out)[0]["rows"]] == ["ls", "id"]
    _, out, _ = call(
        "tiny", "--results", results, "--format", "markdown", *view, "--precision", "0", "--pivot"
    )
    assert "| measured | id | ls (baseline) |" in out
    assert "| top-1 (%) | **70 ± 0** | <ins>60 ± 0</ins> |" in out
    _, out, _ = call("tiny", "--results", results, "--format", "csv", "--only-changed", "--rows", "*")
    assert list(pd.read_csv(io.StringIO(out)).variant) == ["ls", "id"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--rows", "lss"), "--rows lss: no match (did you mean 'ls'?)"),
        (("--columns", "topp1"), "--columns topp1: no match (did you mean 'top1'?)"),
        (("--sort-by", "toop1"), "--sort-by toop1: no match (did you mean 'top1'?)"),
        (("--descending",), "only together with --sort-by"),
        (("--paper", "3"), "--paper 3: takes no suite"),
        (("--width", "two-column"), "--width: only with --format latex"),
        (("--bare", "--format", "markdown"), "--bare: only with --format latex"),
        (("--format", "latex", "--width", "wide"), "--width wide: expected one-column, two-column, a width"),
        (("--paper", "10"), "less than or equal to 9"),
    ],
)
def test_a_wrong_wish_is_one_line_and_exit_2(call, results, arguments, message):
    code, out, err = call("tiny", "--results", results, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_table_for_a_paper_has_its_width_and_may_be_bare(call, results, tmp_path):
    file = tmp_path / "table.tex"
    asked = ("tiny", "--results", results, "-o", file)
    assert call(*asked)[0] == 0
    plain = file.read_text()
    assert "\\begin{table}" in plain
    assert call(*asked, "--width", "one-column")[0] == 0
    assert file.read_text() == plain
    assert call(*asked, "--width", "2.2in")[0] == 0
    assert file.read_text() != plain
    assert call(*asked, "--bare", "--width", "5.5in")[0] == 0
    assert "\\begin{tabular}" in file.read_text()
    assert "\\begin{table" not in file.read_text()


@pytest.mark.parametrize("name", ["console", "markdown", "latex", "html", "json"])
def test_notes_are_left_out_in_every_format(call, results, name):
    asked = ("tiny", "--results", results, "--format", name, "--all-columns")
    texts = [call(*asked, *more)[1] for more in ((), ("--no-notes",))]
    for note in ("Timed on a cpu", "Two seeds cannot tell") if name != "json" else ("Timed on a cpu",):
        assert note in texts[0]
        assert note not in texts[1]


def test_a_binary_format_goes_to_a_file_or_a_pipe_and_not_to_a_terminal(call, results, tmp_path, monkeypatch):
    file = tmp_path / "table.parquet"
    assert call("tiny", "--results", results, "-o", file) == (0, "", f"{file}: written (parquet)\n")
    assert list(pd.read_parquet(file).variant) == ["ls", "id"]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, out, err = call("tiny", "--results", results, "--format", "parquet")
    assert (code, out) == (2, "")
    assert "parquet is binary" in err
    assert "-o FILE" in err


def test_a_table_of_the_paper_needs_no_results(call, tmp_path):
    code, out, _ = call("--paper", "7", "--results", tmp_path / "none", "--format", "markdown")
    assert code == 0
    assert "| w/o LKP | waiting | 0.31 | waiting | 70.5 |" in out
    assert not (tmp_path / "none").exists()


def test_a_terminal_is_shown_the_best_values(call, results, monkeypatch):
    arguments = ("tiny", "--results", results, "--columns", "top1")
    assert "\x1b" not in call(*arguments)[1]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "\x1b[1m70.0" in call(*arguments)[1]


def test_a_file_that_is_no_suite_is_one_line(call, results, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text("jobs: []\n")
    code, _, err = call(other, "--results", results)
    assert code == 2
    assert "not a suite, as it has no `name`" in err


def test_a_preset_without_results_names_those_that_have_some(call, results):
    code, _, err = call("tiny", "--preset", "nope", "--results", results)
    assert code == 5
    assert "no results of tiny by preset 'nope'; there are: default" in err


def test_a_view_of_nothing_is_told(call, results):
    code, _, err = call("--paper", 7, "--only-changed", "--results", results)
    assert code == 2
    assert "no row is left to show" in err


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("x.html", "<!doctype html>"),
        ("x.htm", "<!doctype html>"),
        ("x.md", "### tiny"),
        ("x.tex", "%"),
        ("x.csv", "suite,"),
        ("x.json", "{"),
        ("x.txt", "tiny (default)"),
        ("x", "tiny (default)"),
    ],
)
def test_the_suffix_says_the_format(name, start, call, results, tmp_path):
    code, out, err = call("tiny", "--results", results, "-o", tmp_path / name)
    assert (code, out) == (0, "")
    assert (tmp_path / name).read_text().lower().lstrip().startswith(start)
    assert err.startswith(f"{tmp_path / name}: written (")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "x.html", "--format", "csv"), "-o x.html: .html is the suffix of html, and --format is csv"),
        (("-o", "x.parquet", "--format", "console"), "name the file x.txt"),
        (("-o", "x.xlsx"), "-o x.xlsx: no format has the suffix .xlsx"),
        (("-o", "x.html", "--format", "pdff"), "unknown report format 'pdff'"),
    ],
)
def test_a_suffix_that_does_not_fit_is_refused(arguments, message, call, results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call("tiny", "--results", results, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not list(tmp_path.glob("x.*"))


@pytest.fixture
def answered(tiny, make_graph, fill_store, keep_answers):
    graph = make_graph(tiny)
    folder = fill_store(graph)
    keep_answers(folder, graph)
    return folder.root.parents[1]


def test_the_classes_of_every_evaluation_are_csv(call, answered, tmp_path):
    code, out, _ = call("tiny", "--results", answered, "--classes", "accuracy", "--rows", "id")
    frame = pd.read_csv(io.StringIO(out))
    assert (code, set(frame.variant), set(frame.seed)) == (0, {"id"}, {0, 1})
    assert frame.groupby("seed").images.sum().tolist() == [20, 20]
    call("tiny", "--results", answered, "--classes", "confusion", "-o", tmp_path / "c.csv")
    cells = pd.read_csv(tmp_path / "c.csv")
    assert cells.groupby(["variant", "seed"]).images.sum().tolist() == [20] * 4


def test_classes_without_answers_or_in_another_shape_are_refused(call, results):
    code, _, err = call("tiny", "--results", results, "--classes", "accuracy")
    assert (code, "no evaluation has kept its answers" in err) == (5, True)
    code, _, err = call("tiny", "--results", results, "--classes", "accuracy", "--format", "html")
    assert (code, "gives CSV" in err) == (2, True)


ALONE = {
    "train": ["train"],
    "profile": [{"profile": {"probes": ["params"]}}],
    "evaluate": [{"evaluate": {"weights": "fresh"}}],
    "robustness": [{"robustness": {"weights": "fresh"}}],
    "analyze": [{"analyze": {"kind": "erf", "weights": "fresh"}}],
    "detect": [{"detect": {"dataset": "fashion_coco", "backbone_weights": "none"}}],
    "segment": [{"segment": {"dataset": "fashion_ade", "backbone_weights": "none"}}],
}
WITHOUT_COLUMNS = ("train", "analyze", "detect")


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        *((kind, state) for kind in ALONE for state in ("due", "done")),
        ("train", "waiting"),
        ("train", "failed"),
    ],
)
def test_a_suite_with_nothing_to_show_says_what_is_the_matter_in_every_format(
    kind, state, call, tiny, make_graph, fill_store, tmp_path, monkeypatch
):
    graph = make_graph({**tiny, "jobs": ALONE[kind], "seeds": [0]})
    failed = tuple(job.label for job in graph.jobs) if state == "failed" else ()
    folder = fill_store(graph, lambda job: [] if state in ("due", "done") else None, failed)
    if state == "due":
        ids = dict.fromkeys(graph.by_id(), "code of the metric changed")
        monkeypatch.setattr(Standing, "due", lambda self, *, with_unfinished=False: ids)
    word = "2 jobs are done" if state == "done" and kind in WITHOUT_COLUMNS else state
    slow = {"html", "parquet"} if kind != "train" else set()
    for name in sorted({*REPORTS.own_names()} - slow):
        code, _, err = call(folder.root, "--format", name, "-o", tmp_path / f"report.{name}")
        told = f"{err}{(tmp_path / f'report.{name}').read_bytes().decode('utf-8', 'replace')}"
        assert code == 0
        assert "tiny" in told
        assert word in told or word == "done"  # with columns, holes tell
