import subprocess
import sys

import pandas as pd
import pytest

import lsbench
from lsbench.core.errors import NothingMeasuredError, UsageError
from lsbench.tables.frames.load import LONG_COLUMNS


@pytest.fixture
def folder(tiny, make_graph, fill_store, records_of):
    def records(job):
        return records_of(job, top1=0.5 + (job.seed or 0) / 10 + (job.variant.name == "ls") / 100)

    return fill_store(make_graph(tiny), records, failed=("id/evaluate/seed1",))


def test_the_long_form_is_typed_and_has_a_row_per_record(folder):
    frame = lsbench.load_table(folder.root)
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == LONG_COLUMNS
    assert frame.attrs["units"]["top1"] == "fraction"
    assert frame.attrs["units"]["latency_ms"] == "ms"
    failed = frame[frame.status == "failed"]
    assert list(failed.variant) == ["id"]
    assert failed.value.isna().all()
    assert len(frame[frame.metric == "top1"]) == 3


def test_the_wide_form_has_a_row_per_variant_and_seed(folder):
    frame = lsbench.load_table("tiny", form="wide", results=folder.root.parents[1])
    assert list(zip(frame.variant, frame.seed, strict=True)) == [("ls", 0), ("ls", 1), ("id", 0), ("id", 1)]
    assert frame.top1.tolist()[:3] == pytest.approx([0.51, 0.61, 0.5])
    assert frame.top1.isna().tolist() == [False, False, False, True]
    assert str(frame.top1.dtype) == "Float64"
    assert frame.params.notna().all()
    assert frame.groupby("variant").params.nunique().tolist() == [1, 1]
    units = {"top1": "fraction", "params": "count", "macs": "MAC", "latency_ms": "ms"}
    assert units.items() <= frame.attrs["units"].items()
    assert set(frame.attrs["units"]) == set(frame.columns[7:]) == set(frame.attrs["protocols"])


def test_results_may_lie_at_an_address(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("lsbench.store.owned._mirrors", {})
    url = f"file://{folder.root.parents[1]}"
    frame = lsbench.load_table("tiny", results=url)
    pd.testing.assert_frame_equal(frame, lsbench.load_table(folder.root))
    with pytest.raises(UsageError, match=f"^other: no results of that name in {url}; there are: tiny$"):
        lsbench.load_table("other", results=url)


def test_a_metric_under_two_protocols_has_a_column_for_each(tiny, make_graph, fill_store, records_of):
    def records(job):
        found = records_of(job)
        for record in found if job.variant.name == "id" else ():
            record["protocol"] += "|other" if record["metric"] == "top1" else ""
        return found

    frame = lsbench.load_table(fill_store(make_graph(tiny), records).root, form="wide")
    names = [name for name in frame if name.startswith("top1")]
    assert len(names) == 2
    assert all(name.startswith("top1@fashion|") for name in names)
    assert frame[names].notna().sum(axis=1).tolist() == [1, 1, 1, 1]


def test_all_presets_of_a_suite_by_its_folder(folder):
    pd.testing.assert_frame_equal(lsbench.load_table(folder.root.parent), lsbench.load_table(folder.root))


def test_bad_input_is_one_line(folder, tmp_path):
    results = folder.root.parents[1]
    with pytest.raises(UsageError, match=r"did you mean 'tiny'"):
        lsbench.load_table("tinny", results=results)
    with pytest.raises(UsageError, match=r"did you mean 'wide'"):
        lsbench.load_table("tiny", form="wid", results=results)
    with pytest.raises(NothingMeasuredError, match="no results"):
        lsbench.load_table("tiny", results=tmp_path / "none")


def test_importing_lsbench_stays_light():
    code = "import sys, lsbench; sys.exit(any(name in sys.modules for name in ('pandas', 'torch', 'numpy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert "load_table" in dir(lsbench)
    with pytest.raises(AttributeError, match="load_tabel"):
        _ = lsbench.load_tabel
