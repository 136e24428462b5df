"""The table in the README is what `lsbench report` prints of the reference, and says how it was measured.

After a new reference, rewrite it and read the difference before you commit it:
``LSBENCH_REWRITE_GOLDEN=1 pytest -n 0 tests/docs/test_main_table.py``
"""

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lsbench.cli.main import run_command
from lsbench.core.counted import counted
from lsbench.core.quantity import from_duration
from lsbench.store.results import ResultsFolder

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "results" / "reference" / "ablations" / "default"
#: What the page has room for.
COLUMNS = "top1,top1_delta,params,macs,latency_ms,latency_ratio,throughput_ratio"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->"


@pytest.fixture(scope="module")
def results():
    return ResultsFolder(REFERENCE)


def origin_of(results):
    """When, on what and for how long the results were measured, as the journal tells it."""
    jobs, manifest = results.jobs().values(), results.manifest()
    starts = [datetime.fromisoformat(job["started_at"]) for job in jobs]
    ends = [start + timedelta(seconds=job["wall_s"]) for start, job in zip(starts, jobs, strict=True)]
    [(cores, cpu, python, torch)] = {
        (job["provenance"]["cpus"], *(job["provenance"][key] for key in ("cpu", "python", "torch")))
        for job in jobs
    }
    took = from_duration((max(ends) - min(starts)).total_seconds())
    return (
        f"Measured with {counted(len(manifest['seeds']), 'seed')} on {min(starts):%Y-%m-%d}: "
        f"{counted(len(jobs), 'job')} in {took}, on {counted(cores, 'core')} of an {cpu} without a GPU, "
        f"Python {python.rpartition('.')[0]}, torch {torch}.\n"
    )


def test_the_table_and_its_origin_are_those_of_the_reference(results, capsys):
    words = ["report", "reference:ablations", "--format", "markdown", "--no-notes", "--columns", COLUMNS]
    assert run_command(words) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    wanted = "\n".join([origin_of(results), *rows, ""])
    page = ROOT / "README.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    shown, _, after = rest.partition(END)
    if os.environ.get("LSBENCH_REWRITE_GOLDEN"):
        page.write_text(f"{before}{BEGIN}{wanted}{END}{after}", encoding="utf-8")
    else:
        assert shown == wanted


def test_the_reference_is_whole_and_small(results):
    manifest, jobs = results.manifest(), results.jobs()
    assert len(manifest["seeds"]) == 5
    assert {entry["id"] for entry in manifest["jobs"]} == {
        one for one, job in jobs.items() if job["status"] == "ok"
    }
    assert not list(REFERENCE.rglob("*.pt"))
    assert sum(path.stat().st_size for path in REFERENCE.parent.rglob("*") if path.is_file()) < 5e6


def test_it_compares_as_equal_with_itself(capsys):
    assert run_command(["compare", "reference:ablations", "reference:ablations"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Answers: equal for all 10,000 images of fashion, in 7 rows and 5 seeds." in said
