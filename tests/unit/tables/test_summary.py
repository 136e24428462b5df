import numpy as np
import pytest
from scipy import stats

from lsbench.core.facets import Facets, render_protocol
from lsbench.core.lock import locked
from lsbench.store.results import ResultsFolder
from lsbench.tables.summary import summarize

TOP1 = {"ls": {0: 0.70, 1: 0.74, 2: 0.71}, "id": {0: 0.60, 1: 0.65, 2: 0.60}}


@pytest.fixture
def graph(tiny, make_graph):
    return make_graph({**tiny, "seeds": [0, 1, 2]})


@pytest.fixture
def by_seed(records_of):
    return lambda job: records_of(job, top1=TOP1[job.variant.name].get(job.seed, 0.0))


def cells(summary, variant):
    return next(row for row in summary.rows if row.variant == variant).cells


def with_protocol(records, **changes):
    return [{**record, **changes} for record in records]


def test_means_and_paired_differences_are_scipys(graph, fill_store, by_seed):
    summary = summarize(fill_store(graph, by_seed))
    ls, other = (np.array(list(TOP1[name].values())) for name in ("ls", "id"))
    mean = stats.ttest_1samp(ls, 0).confidence_interval(0.95)
    found = cells(summary, "ls")["top1"].estimate
    assert (found.value, found.low, found.high) == pytest.approx((ls.mean(), mean.low, mean.high))
    difference = stats.ttest_rel(other, ls).confidence_interval(0.95)
    delta = cells(summary, "id")["top1_delta"].estimate
    assert (delta.value, delta.low, delta.high) == pytest.approx(
        ((other - ls).mean(), difference.low, difference.high)
    )
    assert cells(summary, "ls")["top1_delta"].estimate is None
    assert [(one.variant, one.is_told_apart) for one in summary.comparisons] == [("id", True)]


def test_the_baseline_comes_first(tiny, make_graph, fill_store):
    summary = summarize(fill_store(make_graph({**tiny, "baseline": "id"})))
    assert [(row.variant, row.is_baseline) for row in summary.rows] == [("id", True), ("ls", False)]


def test_numbers_measured_once_keep_their_own_interval(graph, fill_store, records_of):
    def timed(job):
        return with_protocol(records_of(job), ci_low=1.0, ci_high=9.0) if job.kind == "profile" else None

    found = cells(summarize(fill_store(graph, timed)), "ls")["latency_ms"].estimate
    assert (found.value, found.low, found.high, found.n) == (5.0, 1.0, 9.0, 1)


def test_a_timing_that_others_disturbed_is_no_missing_one(graph, fill_store, records_of):
    def timed(job):
        found = records_of(job) if job.kind == "profile" else None
        for record in found or ():
            if record["metric"] == "latency_ms" and job.variant.name == "ls":
                record["value"] = None
        return found

    summary = summarize(fill_store(graph, timed))
    holes = {name: cells(summary, name)["latency_ms"].hole for name in ("ls", "id")}
    assert holes == {"ls": "inconclusive", "id": ""}
    assert any(note.startswith("inconclusive: other processes") for note in summary.notes)
    assert cells(summary, "ls")["top1"].hole == "waiting"


def test_a_job_that_runs_is_not_waiting(graph, fill_store):
    folder = fill_store(graph, lambda job: None)
    job = next(job for job in graph.jobs if job.label == "ls/evaluate/seed2")
    with locked(folder.job_lock_file(job.id), what="a job"):
        summary = summarize(folder)
    assert {cells(summary, name)["top1"].hole for name in ("ls", "id")} == {"running", "waiting"}
    assert cells(summary, "ls")["top1"].hole == "running"
    waiting = len(graph.jobs) - 1
    assert f"Of {waiting + 1} jobs: 1 running, {waiting} waiting." in summary.notes


def test_holes_say_why_they_are_there(graph, fill_store, records_of):
    def only_ls(job):
        return records_of(job) if job.variant.name == "ls" and job.kind == "evaluate" else None

    summary = summarize(fill_store(graph, only_ls, failed=("id/evaluate/seed0",)))
    assert cells(summary, "id")["top1"].estimate is None
    assert cells(summary, "id")["top1"].hole == "failed"
    assert cells(summary, "ls")["params"].hole == "waiting"
    assert cells(summary, "id")["top1_delta"].estimate is None
    assert any(note == "Of 14 jobs: 1 failed, 10 waiting." for note in summary.notes)


def test_seeds_that_are_missing_show(graph, fill_store, by_seed):
    def without_one(job):
        return None if job.label == "id/evaluate/seed2" else by_seed(job)

    cell = cells(summarize(fill_store(graph, without_one)), "id")
    assert (cell["top1"].estimate.n, cell["top1"].expected) == (2, 3)
    assert (cell["top1_delta"].estimate.n, cell["top1_delta"].expected) == (2, 3)
    assert cell["top1_delta"].estimate.value == pytest.approx((0.60 - 0.70 + 0.65 - 0.74) / 2)


def test_jobs_whose_data_is_absent_are_all_waiting(tiny, make_graph, fill_store, tmp_path):
    tiny["variants"].append({"name": "big", "dataset": "imagenet"})
    graph = make_graph(tiny, data_root=tmp_path / "nothing")
    missing = sum(job.id is None for job in graph.jobs)
    assert missing == 4
    assert f"Of {len(graph.jobs)} jobs: 4 waiting." in summarize(fill_store(graph)).notes


def test_two_protocols_never_share_a_column(graph, fill_store, records_of):
    def mixed(job):
        records = records_of(job, top1=0.2 if job.variant.name == "id" else 0.7)
        return with_protocol(records, protocol=f"test|{job.variant.name}|v1")

    summary = summarize(fill_store(graph, mixed))
    protocols = [column.protocol for column in summary.columns if column.quantity.name == "top1"]
    assert set(protocols) == {"test|ls|v1", "test|id|v1"}
    for column in summary.columns:
        rows = [row.variant for row in summary.rows if row.cells[column.key].estimate]
        assert len(rows) <= 1, "each variant was measured under a protocol of its own"
    assert {note for note in summary.notes if "test|" in note} >= {
        "top-1 (%): fashion|test|ls|v1.",
        "top-1 (%): fashion|test|id|v1.",
    }


def test_each_protocol_of_a_timing_keeps_its_own_interval(tiny, make_graph, fill_store, records_of):
    tiny["jobs"].append({"profile": {"name": "threads", "threads": 2}})
    graph = make_graph(tiny)

    def timed(job):
        if job.kind != "profile":
            return None
        threads = job.spec["threads"]
        return with_protocol(
            records_of(job), protocol=f"threads={threads}", ci_low=threads / 1.0, ci_high=threads * 10.0
        )

    summary = summarize(fill_store(graph, timed))
    columns = [column for column in summary.columns if column.quantity.name == "latency_ms"]
    found = {c.protocol: cells(summary, "ls")[c.key].estimate for c in columns}
    assert {protocol: (e.low, e.high) for protocol, e in found.items()} == {
        "threads=1": (1.0, 10.0),
        "threads=2": (2.0, 20.0),
    }


def test_a_paired_change_of_one_seed_has_its_interval_over_images(tiny, make_graph, fill_store, records_of):
    def shown(seeds):
        def records(job):
            found = records_of(job)
            change = {
                "value": -0.01 * (1 + (job.seed or 0)),
                "unit": "difference",
                "ci_low": -0.02,
                "ci_high": 0.04,
            }
            more = [{**found[0], "metric": "top1_change", **change}] if job.kind == "evaluate" else []
            return [*found, *more]

        summary = summarize(fill_store(make_graph({**tiny, "seeds": seeds}), records))
        return summary.rows[0].cells["top1_change"].estimate

    one, two = shown([0]), shown([0, 1])
    assert (one.value, one.low, one.high) == (-0.01, -0.02, 0.04)
    assert two.value == pytest.approx(-0.015)
    assert two.low < -0.02, "over seeds"


def test_one_seed_tells_nothing_apart(tiny, make_graph, fill_store, records_of):
    summary = summarize(fill_store(make_graph({**tiny, "seeds": [0]})))
    assert [one.difference.low for one in summary.comparisons] == [None]


def test_smoke_limits_and_overrides_are_marked(tiny, make_graph, fill_store):
    plain = summarize(fill_store(make_graph(tiny)))
    assert not plain.is_smoke
    assert not any("Smoke" in note or "overrides" in note for note in plain.notes)
    smoke = summarize(fill_store(make_graph({**tiny, "tags": ["smoke"]})))
    assert smoke.is_smoke
    assert any(note.startswith("Smoke test: these numbers only show") for note in smoke.notes)
    limited = summarize(fill_store(make_graph(tiny, limit=2)))
    assert any(note.startswith("Run with overrides (default+limit=2)") for note in limited.notes)


def test_operators_that_nobody_counted_are_listed(graph, fill_store, records_of):
    def uncounted(job):
        return with_protocol(records_of(job), setting={"uncounted_ops": {"aten::magic": 2, "aten::fft": 1}})

    notes = summarize(fill_store(graph, uncounted)).notes
    assert "FLOPs leave out operators without a formula: aten::fft, aten::magic." in notes


def test_timings_from_two_machines_carry_a_warning(graph, fill_store, job_lines, records_of):
    ok_line, _ = job_lines
    folder = fill_store(graph)
    assert any(note.startswith("Timed on a cpu (a host)") for note in summarize(folder).notes)
    job = next(job for job in graph.jobs if job.label == "id/profile")
    line = ok_line(job)
    folder.add_job({**line, "provenance": {**line["provenance"], "host": "elsewhere", "cpu": "another"}}, [])
    assert any(note.startswith("Timings come from different machines") for note in summarize(folder).notes)


@pytest.mark.parametrize("device", [{}, {"device_name": "NVIDIA H200", "cpu": "another"}])
def test_timings_from_two_machines_of_one_model_carry_none(graph, fill_store, job_lines, device):
    ok_line, _ = job_lines
    folder = fill_store(graph)
    for number, job in enumerate([job for job in graph.jobs if job.kind == "profile"]):
        line = ok_line(job)
        where = {**line["provenance"], "host": f"node{number}", **device}
        folder.add_job({**line, "provenance": where}, [])
    [note] = [note for note in summarize(folder).notes if note.startswith("Tim")]
    assert note.startswith("Timed on ")
    assert "(node0, node1), " in note


def test_timings_of_two_device_models_never_share_a_column(graph, fill_store, records_of):
    def on_gpus(job):
        model = "NVIDIA H200" if job.variant.name == "id" else "NVIDIA A100"
        facets = Facets(
            batch_size=1, precision="fp32", device="cuda", device_model=model, tf32="conv", version="2"
        )
        timed = {"protocol": render_protocol(facets), "facets": facets.model_dump(mode="json")}
        return [{**r, **timed} if r["metric"] == "latency_ms" else r for r in records_of(job)]

    summary = summarize(fill_store(graph, on_gpus))
    keys = [column.key for column in summary.columns if column.quantity.name == "latency_ms"]
    assert len(keys) == 2
    for key in keys:
        assert sum(row.cells[key].estimate is not None for row in summary.rows) == 1


def test_the_frame_holds_si_units_intervals_and_holes(graph, fill_store, by_seed):
    frame = summarize(fill_store(graph, by_seed, failed=("id/profile",))).to_frame().set_index("variant")
    assert frame.loc["ls", "top1"] == pytest.approx(np.mean(list(TOP1["ls"].values())))
    assert frame.loc["ls", "top1_ci_low"] < frame.loc["ls", "top1"] < frame.loc["ls", "top1_ci_high"]
    assert frame.loc["ls", "top1_n"] == 3
    assert frame.loc["ls", "params"] == 2e6
    assert np.isnan(frame.loc["id", "params"])
    assert frame.loc["id", "params_hole"] == "failed"


def test_a_folder_without_a_manifest_has_no_summary(tmp_path):
    assert summarize(ResultsFolder(tmp_path)) is None


def test_two_data_sets_never_share_a_column(graph, fill_store, records_of):
    def other(job):
        records = records_of(job)
        return [
            {**r, "dataset": "scenes"} if r["dataset"] and job.variant.name == "id" else r for r in records
        ]

    summary = summarize(fill_store(graph, other))
    titles = [column.title for column in summary.columns if column.quantity.name == "top1"]
    assert len(titles) == len(set(titles)) == 4
    assert cells(summary, "id")["top1_delta"].estimate is None


def test_a_failed_profile_leaves_no_failed_accuracy(graph, fill_store, records_of):
    def profiles_only(job):
        return None if job.kind != "profile" else records_of(job)

    summary = summarize(fill_store(graph, profiles_only, failed=("id/profile",)))
    assert cells(summary, "id")["params"].hole == "failed"
    assert cells(summary, "id")["top1"].hole == "waiting"


def test_a_failed_job_is_a_hole_in_its_own_columns_alone(tiny, make_graph, fill_store, records_of):
    tiny["jobs"].append({"evaluate": {"name": "validation", "split": "val"}})

    def by_split(job):
        if job.label.startswith("id/evaluate"):
            return None
        records = records_of(job)
        return with_protocol(records, protocol="val|v1") if job.name == "validation" else records

    failed = ("id/validation/seed0", "id/validation/seed1")
    summary = summarize(fill_store(make_graph(tiny), by_split, failed=failed))
    columns = {column.protocol: column.key for column in summary.columns if column.quantity.name == "top1"}
    found = cells(summary, "id")
    holes = {protocol: found[key.removesuffix("_delta")].hole for protocol, key in columns.items()}
    assert holes == {"test|n=20|v1": "waiting", "val|v1": "failed"}


def test_a_failed_robustness_job_is_a_hole_and_so_is_what_its_training_left_undone(
    graph, fill_store, records_of, tested
):
    def all_but_one(job):
        return None if job.variant.name == "id" else records_of(job)

    failed = [f"id/{name}/seed{seed}" for name in ("robustness", "imagenet_a") for seed in (0, 1, 2)]
    summary = summarize(fill_store(tested(graph), all_but_one, failed=tuple(failed)))
    found = cells(summary, "id")
    keys = ("mce", "clean_error", "imagenet_a_top1", "imagenet_a_top1_all_classes", "top1")
    assert [found[key].hole for key in keys] == ["failed"] * 4 + ["waiting"]
    trained = summarize(fill_store(tested(graph), all_but_one, failed=("id/train/seed0",)))
    assert [cells(trained, "id")[key].hole for key in keys] == ["failed"] * 5
    assert cells(trained, "ls")["imagenet_a_top1"].estimate.value == pytest.approx(0.2)
    assert cells(trained, "ls")["imagenet_a_top1_all_classes"].estimate.value == pytest.approx(0.1)


def test_a_mean_over_an_incomplete_set_is_withheld_and_said(graph, fill_store, records_of, tested):
    def without_mce(job):
        records = records_of(job)
        if job.variant.name == "ls":
            return records
        return [{**r, "value": None} if r["metric"].endswith("mce") else r for r in records]

    summary = summarize(fill_store(tested(graph), without_mce))
    found = cells(summary, "id")
    assert (found["mce"].estimate, found["mce"].hole) == (None, "withheld")
    assert found["clean_error"].estimate.value == 0.25
    assert any(note.startswith("withheld: some corruptions") for note in summary.notes)
    assert not any("withheld" in note for note in summarize(fill_store(tested(graph))).notes)


def test_columns_measured_in_one_way_share_a_note(graph, fill_store, tested):
    notes = summarize(fill_store(tested(graph))).notes
    assert (
        "mCE (reference = 100), relative mCE (reference = 100), mean corruption error (%), clean error (%): "
        "fashion|fashion-c-live|c2|s2|res=32|ref=knn5|n=20|v1."
    ) in notes
    assert any(note.startswith("all classes: ") for note in notes)
    assert not any(note.startswith("all classes: ") for note in summarize(fill_store(graph)).notes)


def test_what_the_seeds_tell_apart_on_corrupted_images_is_said_by_name(graph, fill_store, records_of, tested):
    def worse(job):
        records = records_of(job)
        if job.variant.name == "id" and job.kind == "robustness":
            return [{**r, "value": r["value"] + 0.1 + job.seed / 1000} for r in records]
        return records

    compared = summarize(fill_store(tested(graph), worse)).comparisons
    told = {(one.metric, one.dataset): one.is_told_apart for one in compared}
    assert told == {("mce", "fashion"): True, ("top1", "fashion"): False, ("top1", "imagenet_a"): False}


def test_a_row_that_is_left_out_of_a_job_has_no_hole_there_and_a_note(tiny, make_graph, fill_store):
    tiny["variants"][1]["without"] = {"train": "no maps", "evaluate": "no maps"}
    summary = summarize(fill_store(make_graph(tiny)))
    found = cells(summary, "id")
    assert (found["top1"].estimate, found["top1"].hole) == (None, "")
    assert found["params"].estimate is not None
    assert "Left out of train, evaluate (no maps): id." in summary.notes
    assert not any("jobs:" in note for note in summary.notes)
