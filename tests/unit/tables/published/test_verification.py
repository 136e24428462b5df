from dataclasses import replace

import pytest

from lsbench.core.atomic import write_json
from lsbench.stats.seeds import Estimate
from lsbench.store.early import EARLY
from lsbench.tables.published.verification import Reproduction, verification_counts, verification_rows, verify

SUITE = {
    "version": 1,
    "name": "paper_tiny",
    "source": "a paper",
    "defaults": {"model": "lsnet_t", "dataset": {"name": "imagenet", "img_size": 224}},
    "variants": [
        {
            "name": "ls",
            "mixer": "ls_conv",
            "published": {"params": 11.4e6, "macs": 0.31e9, "top1": 0.749, "throughput": 14708},
        },
        {"name": "id", "mixer": "identity", "published": {"macs": 0.3e9, "top1": 0.7}},
    ],
    "published_only": [{"name": "Peer", "published": {"top1": 0.726}, "reason": "not in timm"}],
    "jobs": [{"train": {"epochs": 1}}, "evaluate", {"profile": {"probes": ["params", "macs"]}}],
    "seeds": [0, 1, 2],
}


@pytest.fixture
def check(make_graph, fill_store, records_of):
    """Return verdict and reason by (row, metric), of results with the given figures."""

    def run(figures, *, protocol="test|res=224|n=50000|v1", failed=(), **options):
        graph = make_graph(SUITE, **options)
        jobs = [
            job.model_copy(update={"id": f"{job.kind}-{job.label.replace('/', '-')}", "needs": {}})
            for job in graph.jobs
        ]

        def records(job):
            values = figures.get(job.variant.name, {})
            found = []
            for record in records_of(job):
                if record["metric"] not in values:
                    continue
                value = values[record["metric"]]
                value = value[job.seed] if isinstance(value, list) else value
                where = {"dataset": "imagenet", "protocol": protocol} if job.kind == "evaluate" else {}
                found.append({**record, **where, "value": value})
            return found or None

        folder = fill_store(type(graph)(graph.suite, tuple(jobs), {}, frozenset(), ()), records, failed)
        found = verify(folder)
        return {(one.title, one.metric): one for one in found}

    return run


def test_what_is_counted_reproduces_if_it_rounds_to_what_was_printed(check):
    found = check({"ls": {"params": 11_361_000.0, "macs": 305_100_000.0}, "id": {"macs": 294_000_000.0}})
    assert found["ls", "params"].verdict == Reproduction.REPRODUCES
    assert found["ls", "macs"].verdict == Reproduction.REPRODUCES
    other = found["id", "macs"]
    assert (other.verdict, other.reason) == (Reproduction.DIFFERS, "rounds to 0.29, not 0.30")


@pytest.mark.parametrize(
    ("top1", "verdict"),
    [
        ([0.7490, 0.7492, 0.7488], Reproduction.REPRODUCES),
        ([0.7290, 0.7292, 0.7288], Reproduction.DIFFERS),
        ([0.7690, 0.7692, 0.7688], Reproduction.DIFFERS),
        ([0.7490, 0.7600, 0.7400], Reproduction.CANNOT_TELL),
        ([0.7435, 0.7437, 0.7433], Reproduction.CANNOT_TELL),
    ],
)
def test_what_was_trained_is_judged_by_its_whole_interval(check, top1, verdict):
    assert check({"ls": {"top1": top1}})["ls", "top1"].verdict == verdict


def test_published_weights_may_differ_by_pixels_alone(check):
    protocol = "test|pretrained|res=224|n=50000|v1"
    for value, verdict in ((0.7498, Reproduction.REPRODUCES), (0.7445, Reproduction.DIFFERS)):
        found = check({"ls": {"top1": [value] * 3}}, protocol=protocol)
        assert found["ls", "top1"].verdict == verdict


def test_what_cannot_be_told_says_why(check):
    found = check({}, failed=("id/evaluate/seed0",))
    reasons = {key: one.reason for key, one in found.items()}
    assert {one.verdict for one in found.values()} == {Reproduction.CANNOT_TELL}
    assert reasons["ls", "throughput"] == "a timing on another machine"
    assert reasons["ls", "top1"] == "not run yet"
    assert reasons["id", "top1"] == "failed"
    assert reasons["Peer", "top1"] == "cannot be run here: not in timm"


def test_numbers_of_a_published_models_log_are_judged_beside_the_papers(check):
    SUITE["variants"][0]["published_logs"] = {"top1": 0.7336}
    found = check({"ls": {"top1": [0.7490, 0.7492, 0.7488]}})
    del SUITE["variants"][0]["published_logs"]
    assert (found["ls", "top1"].published, found["ls", "top1"].verdict) == (0.749, Reproduction.REPRODUCES)
    log = found["ls, its log", "top1"]
    assert (log.published, log.verdict) == (0.7336, Reproduction.DIFFERS)
    assert log.reason == "our whole interval is more than 0.51 away"


def test_a_row_that_is_left_out_of_a_job_says_so(check):
    SUITE["variants"][1]["without"] = {"train": "no maps", "evaluate": "no maps"}
    reason = check({})["id", "top1"].reason
    del SUITE["variants"][1]["without"]
    assert reason == "not run yet (left out of train, evaluate: no maps)"


def test_under_overrides_only_what_a_limit_leaves_alone_is_judged(check):
    figures = {"ls": {"params": 11.4e6, "top1": [0.749, 0.7491, 0.7489]}}
    limited = check(figures, limit=2)
    assert limited["ls", "params"].verdict == Reproduction.REPRODUCES
    assert limited["ls", "top1"].reason == "run with overrides (limit=2)"
    other = check(figures, overrides=["jobs.train.epochs=2"])
    assert other["ls", "params"].verdict == Reproduction.CANNOT_TELL


def test_what_a_stopped_job_has_counted_is_judged(make_graph, fill_store, records_of, job_lines):
    graph = make_graph(SUITE)
    jobs = [
        job.model_copy(update={"id": f"{job.kind}-{job.label.replace('/', '-')}", "needs": {}})
        for job in graph.jobs
    ]
    folder = fill_store(type(graph)(graph.suite, tuple(jobs), {}, frozenset(), ()), lambda job: None)
    job = next(job for job in jobs if job.label == "ls/profile")
    counted = [record for record in records_of(job) if record["metric"] == "macs"]
    write_json(folder.job_folder(job.id) / EARLY, {"job": job_lines[0](job), "records": counted})
    found = {(one.title, one.metric): one.verdict for one in verify(folder)}
    assert found["ls", "macs"] == Reproduction.DIFFERS
    assert found["ls", "params"] == found["id", "macs"] == Reproduction.CANNOT_TELL


def test_rows_hold_both_numbers_and_all_verdicts_are_counted(check):
    found = list(check({"ls": {"top1": [0.749, 0.7492, 0.7488]}}).values())
    rows = list(verification_rows(found))
    [row] = [row for row in rows if row[1:3] == ["ls", "top-1 (%)"]]
    assert row[3:6] == ["74.9", "74.90 ± 0.05", "reproduces"]
    assert verification_counts(found) == "1 reproduces, 0 differs, 6 cannot tell yet"


def test_an_interval_with_unequal_halves_shows_its_ends(check):
    one = replace(check({"ls": {"top1": 0.749}})["ls", "top1"], ours=Estimate(0.749, 0.741, 0.7545, 1))
    assert next(verification_rows([one]))[4] == "74.90 [74.10, 75.45]"


def test_a_suite_without_published_numbers_has_nothing_to_verify(tiny, make_graph, fill_store):
    assert verify(fill_store(make_graph(tiny))) == []
