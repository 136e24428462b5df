import errno
import os
from dataclasses import replace
from pathlib import Path

from lsbench.gate.judge import judge
from lsbench.gate.recheck import jobs_behind, lend_needs, recheck_graph, with_second, with_second_rows
from lsbench.store.results import ResultsFolder


def test_a_second_measurement_never_lies_in_a_folder_of_before(tiny, make_graph):
    graph = make_graph(tiny)
    suite = graph.suite.model_copy(update={"preset_before": "default+a_b"})
    assert recheck_graph(replace(graph, suite=suite)).suite.preset_before is None


def test_a_second_measurement_is_the_same_jobs_in_a_folder_inside(tiny, make_graph):
    graph = make_graph(tiny)
    again = recheck_graph(graph)
    assert [job.id for job in again.jobs] == [job.id for job in graph.jobs]
    assert again.suite.preset == "default/recheck-1"


def test_what_a_job_needs_is_lent_and_itself_is_not(tiny, make_graph, fill_store, tmp_path):
    graph = make_graph(tiny)
    first, again = fill_store(graph), ResultsFolder(tmp_path / "again")
    lend_needs(graph, ["ls/evaluate/seed0"], first, again)
    lend_needs(graph, ["ls/evaluate/seed0"], first, again)
    by_label = {job.label: str(job.id) for job in graph.jobs}
    assert [path.name for path in (again.root / "jobs").iterdir()] == [by_label["ls/train/seed0"]]
    assert again.is_done(by_label["ls/train/seed0"])
    assert not again.is_done(by_label["ls/evaluate/seed0"])


def test_without_links_what_a_job_needs_is_copied(tiny, make_graph, fill_store, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "symlink_to", refuse)
    graph = make_graph(tiny)
    first, again = fill_store(graph), ResultsFolder(tmp_path / "again")
    lend_needs(graph, ["ls/evaluate/seed0"], first, again)
    train = next(str(job.id) for job in graph.jobs if job.label == "ls/train/seed0")
    assert again.is_done(train)
    assert not again.job_folder(train).is_symlink()


def test_suspects_are_traced_to_their_jobs(tiny, make_graph, rules, make_images):
    graph = make_graph(tiny)
    job = next(job for job in graph.jobs if job.label == "ls/evaluate/seed1")
    rows = [make_images(wrong=range(200), job_id=job.id), make_images(variant="calm")]
    suspects = judge([make_images(), make_images(variant="calm")], rows, [rules["top1"]])[:1]
    assert jobs_behind(graph, rows, suspects) == ["ls/evaluate/seed1"]


def test_second_measurements_replace_the_first_where_there_are_any(rules, make_pairs):
    def rows(slow, seed):
        return [make_pairs(slow, seed=seed, variant=name) for name in ("a", "b", "c")]

    before, first = rows(1.0, 0), rows(1.06, 1)
    first[2] = make_pairs(seed=1, variant="c")
    second = [make_pairs(1.0, seed=2, variant="a")]
    asked = [rules["latency_ratio"]]
    found = judge(before, first, asked)
    suspects = [finding for finding in found if finding.verdict == "regressed"]
    assert len(suspects) == 2
    again = judge(before, with_second_rows(first, second), asked)
    sure = with_second(found, again, suspects, measured={row.key for row in second})
    assert [str(finding.verdict) for finding in sure] == ["ok", "inconclusive", "ok"]
    assert sure[0].first is found[0]
    assert "not re-measured (its job failed)" in sure[1].reason
    assert sure[2] is found[2]
