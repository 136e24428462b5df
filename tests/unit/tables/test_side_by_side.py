import pytest

from lsbench.core.checked_lines import check_lines
from lsbench.core.errors import NothingMeasuredError, UsageError
from lsbench.tables.side_by_side import compare_sources, find_source


@pytest.fixture
def fill(tiny, make_graph, fill_store, records_of, tmp_path):
    """Fill a results folder; `top1` is variant -> value of every seed."""

    def write(name, top1, *, protocol="test|n=20|v1", suite="tiny", params=2e6):
        graph = make_graph({**tiny, "name": suite, "seeds": [0, 1, 2]})

        def records(job):
            if job.variant.name not in top1:
                return None
            found = records_of(job, top1=top1[job.variant.name] + (job.seed or 0) / 1000)
            for record in found:
                record["protocol"] = protocol if job.kind == "evaluate" else record["protocol"]
                record["value"] = params if record["metric"] == "params" else record["value"]
            return found

        return fill_store(graph, records, results=tmp_path / name)

    return write


def by_row(found):
    return {(one.variant, one.metric, one.protocol): one for one in found}


def test_two_folders_are_compared_row_by_row(fill, tmp_path):
    fill("one", {"ls": 0.70, "id": 0.60})
    fill("two", {"ls": 0.70, "id": 0.65}, params=3e6)
    a, b = (find_source(str(tmp_path / name), tmp_path) for name in ("one", "two"))
    found = by_row(compare_sources(a, b))
    same, other = (found[name, "top1", "test|n=20|v1"] for name in ("ls", "id"))
    assert (same.remark, same.compared.difference.value) == ("equal", 0.0)
    assert other.compared.difference.value == pytest.approx(0.05)
    assert found["ls", "params", "b=1|v1"].remark == "counted: differs"
    assert "not paired" in found["ls", "latency_ms", "b=1|v1"].remark
    assert found["ls", "latency_ms", "b=1|v1"].compared is None


def test_rows_of_one_side_and_of_other_protocols_are_said_and_never_compared(fill, tmp_path):
    fill("one", {"ls": 0.70, "id": 0.60})
    fill("two", {"ls": 0.70}, protocol="test|n=10|v1")
    a, b = (find_source(str(tmp_path / name), tmp_path) for name in ("one", "two"))
    found = by_row(compare_sources(a, b))
    assert found["id", "params", "b=1|v1"].remark == "only A"
    other = found["ls", "top1", "test|n=20|v1"]
    assert other.remark == "only A; the other side has fashion|test|n=10|v1: not comparable"
    assert found["ls", "top1", "test|n=10|v1"].compared is None


def test_sides_with_nothing_in_common_are_refused(fill, tmp_path):
    fill("one", {"ls": 0.70})
    fill("two", {"id": 0.70})
    a, b = (find_source(str(tmp_path / name), tmp_path) for name in ("one", "two"))
    with pytest.raises(NothingMeasuredError, match=r"share no number.*A has ls, B has id"):
        compare_sources(a, b)


def test_a_suite_a_commit_and_both_are_found(fill, tmp_path):
    folder = fill("results", {"ls": 0.70})
    found, _ = check_lines((folder.root / "jobs.jsonl").read_bytes().splitlines())
    lines = b"".join(line.replace(b'"cpu": "a cpu"', b'"git_sha": "abcdef01"') + b"\n" for line in found)
    (folder.root / "jobs.jsonl").write_bytes(lines)
    results = tmp_path / "results"
    for asked in ("tiny", "tiny@abcd", "abcdef"):
        assert len(find_source(asked, results).table()) > 0
    with pytest.raises(NothingMeasuredError, match="nothing was measured at commit 1234"):
        find_source("tiny@1234", results).table()
    with pytest.raises(UsageError, match=r"tinny: neither a results folder.*did you mean 'tiny'"):
        find_source("tinny", results)
    with pytest.raises(NothingMeasuredError, match=r"no results in this folder: expected a manifest\.json"):
        find_source(str(folder.root / "jobs"), results)


def test_trials_of_a_search_are_no_side_of_a_comparison(fill, tmp_path):
    folder = fill("results", {"ls": 0.7})
    manifest = folder.manifest()
    folder.write_manifest({**manifest, "search": {"metric": "val_top1"}}, "")
    with pytest.raises(UsageError, match="tiny: a search, whose trials have settings of their own"):
        find_source("tiny", tmp_path / "results").table()
    fill("results", {"ls": 0.7}, suite="other")
    assert {*find_source(str(tmp_path / "results"), tmp_path).table().suite} == {"other"}


def test_a_preset_is_chosen_or_asked_for(tiny, make_graph, fill_store, tmp_path):
    for limit in (2, 3):
        fill_store(make_graph(tiny, limit=limit))
    results = tmp_path / "results"
    with pytest.raises(UsageError, match=r"has presets default\+limit=2, default\+limit=3; choose one"):
        find_source("tiny", results)
    assert find_source("tiny", results, "default+limit=2").folders[0].root.name == "default+limit=2"
    with pytest.raises(UsageError, match="--preset other: no results; presets: "):
        find_source("tiny", results, "other")
