import numpy as np
import pytest

from lsbench.core.errors import StoreError
from lsbench.core.facets import Facets, render_protocol
from lsbench.gate.baseline import create_baseline, read_baseline, write_baseline
from lsbench.gate.collect import collect_rows, jobs_not_done
from lsbench.store.resampled_numbers import write_resampled
from lsbench.suite.gate import GateRule
from lsbench.tables.summary import summarize


def save(folder, job, name, **arrays):
    path = folder.job_folder(job.id) / name
    np.savez(path, **arrays)
    return path


@pytest.fixture
def filled(tiny, make_graph, fill_store, night_records):
    """A finished suite whose evaluations kept bits and whose profiles kept pairs."""
    graph = make_graph(tiny)
    return graph, fill_store(graph, night_records(graph))


def test_rows_carry_bits_pairs_and_where_they_come_from(filled, rules, keep_arrays):
    graph, folder = filled
    keep_arrays(graph, folder)
    rows = collect_rows(folder, [rules["top1"], rules["latency_ratio"], rules["macs"]])
    assert [(row.key.variant, row.key.metric) for row in rows] == [
        (variant, metric) for metric in ("top1", "latency_ratio", "macs") for variant in ("ls", "id")
    ]
    top1, timing, macs = rows[0], rows[2], rows[4]
    assert [one.seed for one in top1.measurements] == [0, 1]
    assert top1.measurements[0].images.right().sum() == 10
    assert top1.measurements[0].weights == "w"
    assert (top1.key.dataset, top1.title) == ("fashion", "ls")
    [one] = timing.measurements
    assert one.pairs.count == 36, "four of forty were disturbed"
    assert one.machine == "a cpu"
    assert (macs.measurements[0].images, macs.measurements[0].pairs, macs.measurements[0].seed) == (None,) * 3
    assert jobs_not_done(folder) == []


def test_of_jobs_that_measure_the_same_number_the_first_stands_for_it(
    tiny, make_graph, fill_store, night_records, rules, tmp_path
):
    tiny["jobs"] = [*tiny["jobs"], {"profile": {"name": "again", "probes": ["macs"]}}]
    graph = make_graph(tiny)
    rows = collect_rows(fill_store(graph, night_records(graph)), [rules["macs"]])
    ids = [job.id for job in graph.jobs if job.name == "profile"]
    assert [[one.job_id for one in row.measurements] for row in rows] == [[name] for name in ids]
    made = create_baseline("tiny", "default", "0.1.0", (rules["macs"],), rows)
    write_baseline(made, tmp_path / "b.json")
    assert read_baseline(tmp_path / "b.json") == made


def test_each_runtime_and_precision_is_a_row_of_its_own(
    tiny, make_graph, fill_store, night_records, keep_arrays, rules
):
    forms = {
        "profile": {},
        "ort": {"runtime": "onnxruntime", "runtime_version": "1.32.0"},
        "ort8": {"runtime": "onnxruntime", "runtime_version": "1.32.0", "precision": "int8"},
        "ov": {"runtime": "openvino", "runtime_version": "2026.4.1"},
    }
    tiny["jobs"] += [
        {"profile": {"name": name, "threads": 2 + place}} for place, name in enumerate(forms) if place
    ]
    graph = make_graph(tiny)
    plain = night_records(graph)

    def records(job):
        facets = Facets(**{"batch_size": 1, "precision": "fp32", **forms.get(job.name, {})})
        own = {"facets": facets.model_dump(), "protocol": render_protocol(facets)}
        return [{**one, **own} if one["metric"] == "latency_ratio" else one for one in plain(job)]

    folder = fill_store(graph, records)
    keep_arrays(graph, folder)
    rows = [row for row in collect_rows(folder, [rules["latency_ratio"]]) if row.key.variant == "ls"]
    assert [row.key.protocol for row in rows] == [
        "b=1|fp32",
        "b=1|fp32|onnxruntime=1.32.0",
        "b=1|int8|onnxruntime=1.32.0",
        "b=1|fp32|openvino=2026.4.1",
    ]
    assert all(row.measurements[0].pairs.count == 36 for row in rows)
    [column] = {c.quantity.name for c in summarize(folder).columns if "onnxruntime" in (c.protocol or "")}
    assert column == "latency_ratio"
    shown = [c.protocol for c in summarize(folder).columns if c.quantity.name == "latency_ratio"]
    assert len(set(shown)) == len(shown) == 4


def test_bits_that_a_value_is_not_the_mean_of_are_of_another_protocol(filled, rules):
    graph, folder = filled
    job = next(job for job in graph.jobs if job.label == "ls/evaluate/seed0")
    save(folder, job, "predictions.npz", score_top1=np.ones(20, dtype=bool), images_sha256=np.array("i"))
    [first, *_] = collect_rows(folder, [rules["top1"]])
    assert [one.images for one in first.measurements] == [None, None]


def test_a_damaged_file_beside_the_records_is_told(filled, rules):
    graph, folder = filled
    job = next(job for job in graph.jobs if job.label == "ls/evaluate/seed0")
    (folder.job_folder(job.id) / "predictions.npz").write_bytes(b"PK half")
    with pytest.raises(StoreError, match=r"predictions.npz: damaged .*; remove the job's folder"):
        collect_rows(folder, [rules["top1"]])


def test_failed_and_missing_jobs_have_no_row(tiny, make_graph, fill_store, night_records, rules):
    graph = make_graph(tiny)
    records = night_records(graph)
    folder = fill_store(
        graph, lambda job: None if job.variant.name == "id" else records(job), ("ls/profile",)
    )
    assert len(collect_rows(folder, [rules["top1"], rules["macs"]])) == 1
    assert {label.split("/")[0] for label in jobs_not_done(folder)} == {"id", "ls"}
    assert "ls/profile" in jobs_not_done(folder)


def test_what_was_not_measured_says_why(tiny, make_graph, fill_store, night_records, rules):
    graph = make_graph(tiny)
    records = night_records(graph, ratio=None)
    [row, _] = collect_rows(fill_store(graph, records), [rules["latency_ratio"]])
    assert (row.mean, row.measurements[0].reason) == (None, "all disturbed")


def test_rows_carry_numbers_over_resampled_images(tiny, make_graph, fill_store, night_records):
    graph = make_graph(tiny)
    records = night_records(graph)

    def with_miou(job):
        return [{**r, "metric": "miou"} if r["metric"] == "top1" else r for r in records(job)]

    folder = fill_store(graph, with_miou)
    for record in folder.records():
        if record["metric"] == "miou":
            write_resampled(
                folder.job_folder(record["job_id"]),
                "abc",
                20,
                {"miou": record["value"]},
                {"miou": np.array([0.25, 0.5])},
            )
    rule = GateRule(metric="miou", direction="higher", min_effect=0, alpha=0.01)
    found = [one.resamples for row in collect_rows(folder, [rule]) for one in row.measurements]
    assert found
    assert all((one.count, one.unpack().tolist()) == (20, [0.25, 0.5]) for one in found)
