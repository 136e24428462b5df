from dataclasses import replace

import pytest

from lsbench.core.quantity import quantity
from lsbench.tables.cells import Column
from lsbench.tables.columns import FURTHER, create_columns, panels
from lsbench.tables.frames.load import load_table


@pytest.fixture
def columns_of(tiny, make_graph, fill_store, records_of):
    """Return the columns of a suite of these jobs, filled with what `records` gives."""

    def columns(jobs, records=records_of):
        folder = fill_store(make_graph({**tiny, "jobs": jobs}), records)
        return create_columns(load_table([folder]), folder.manifest()["jobs"])

    return columns


def test_every_metric_that_has_a_record_has_a_column_and_no_headline_comes_last(columns_of):
    found = columns_of(["train", "evaluate"])
    assert [(c.key, c.title, c.protocol, c.dataset, c.jobs, c.panel) for c in found] == [
        ("top1", "top-1 (%)", "test|n=20|v1", "fashion", {"evaluate"}, ""),
        ("top1_delta", "Δ top-1 (%)", "test|n=20|v1", "fashion", {"evaluate"}, ""),
        ("top5", "top-5 (%)", "test|n=20|v1", "fashion", {"evaluate"}, FURTHER),
        ("train_loss", "train loss", "train|v1", "fashion", {"train"}, FURTHER),
    ]
    assert [column.key for column in columns_of(["train"])] == ["train_loss"]


def test_a_metric_that_nobody_declares_has_the_unit_of_its_records(columns_of, records_of):
    def strange(job):
        [first, *_] = records_of(job)
        return [
            {**first, "metric": "strangeness", "unit": "kelvin"},
            {**first, "metric": "charm", "unit": ""},
        ]

    found = {column.key: column for column in columns_of(["train", "evaluate"], strange)}
    assert (found["strangeness"].title, found["strangeness"].panel) == ("strangeness (kelvin)", FURTHER)
    assert (found["charm"].title, found["charm"].quantity.unit) == ("charm", "")


def test_what_nobody_has_measured_has_a_column_too(columns_of):
    found = columns_of(["train", "evaluate"], lambda job: None)
    assert [(c.key, c.protocol) for c in found] == [("top1", ""), ("top1_delta", "")]


def test_a_profile_shows_what_it_has_measured_and_no_hole_for_what_it_was_not_asked(columns_of, records_of):
    def ratios(job):
        [first, *_] = records_of(job)
        return [{**first, "metric": "latency_ratio", "unit": "ratio"}]

    assert [column.key for column in columns_of(["profile"], ratios)] == ["latency_ratio"]


def test_before_a_profile_has_ended_its_usual_columns_are_holes(columns_of):
    asked = columns_of(["profile"], lambda job: None)
    assert [column.key for column in asked] == ["params", "macs", "latency_ms", "throughput"]


@pytest.fixture
def tested_columns(tiny, make_graph, fill_store, records_of, tested):
    """Return the columns of a suite with a robustness job, and tests on ImageNet-A."""

    def columns(records=records_of):
        folder = fill_store(tested(make_graph(tiny)), records)
        found = create_columns(load_table([folder]), folder.manifest()["jobs"])
        return [column for column in found if not column.is_delta and column.panel != FURTHER]

    return columns


def test_robustness_stands_behind_what_a_model_costs_and_other_data_last(tested_columns):
    titles = {column.key: column.title for column in tested_columns()}
    assert titles == {
        "top1": "top-1 (%)",
        "params": "params (M)",
        "macs": "FLOPs (G), 1 MAC = 1 FLOP",
        "latency_ms": "latency (ms)",
        "mce": "mCE (reference = 100)",
        "relative_mce": "relative mCE (reference = 100)",
        "corruption_error": "mean corruption error (%)",
        "clean_error": "clean error (%)",
        "imagenet_a_top1": "imagenet_a top-1 (%)",
        "imagenet_a_top1_all_classes": "imagenet_a top-1 (%), all classes",
    }


def test_the_masked_answer_comes_first_and_each_protocol_has_a_column(tested_columns, records_of):
    def turned(job):
        return records_of(job)[::-1]

    found = [column for column in tested_columns(turned) if column.is_on_other_data]
    assert [column.protocol for column in found] == ["test|classes=6|n=20|v1", "test|classes=10|n=20|v1"]


def reworded(record, old, new):
    """Return a record of version 1, which says in its protocol alone how it was measured."""
    told = {key: value for key, value in record.items() if key != "facets"}
    return {**told, "protocol": record["protocol"].replace(old, new)}


def test_other_data_tested_in_more_ways_has_each_way_in_its_title(tested_columns, records_of):
    def averaged(job):
        records = records_of(job)
        if job.spec.get("on") and job.seed == 1:
            return [reworded(r, "test|", "test|ema|") for r in records]
        return records

    titles = [column.title for column in tested_columns(averaged) if column.is_on_other_data]
    assert sorted(titles) == [
        "imagenet_a top-1 (%) [test|classes=10|n=20|v1]",
        "imagenet_a top-1 (%) [test|classes=6|n=20|v1]",
        "imagenet_a top-1 (%) [test|ema|classes=10|n=20|v1]",
        "imagenet_a top-1 (%) [test|ema|classes=6|n=20|v1]",
    ]


def test_further_metrics_have_a_column_only_where_they_were_measured(tested_columns, records_of):
    def calibrated(job):
        records = records_of(job)
        return [*records, {**records[0], "metric": "ece"}] if job.kind == "evaluate" else records

    titles = [column.title for column in tested_columns(calibrated)]
    assert titles[:2] == ["top-1 (%)", "ECE (%)"]
    assert titles[-1] == "imagenet_a ECE (%)"


def test_two_protocols_of_corruptions_are_told_apart_by_their_names(tested_columns, records_of):
    def mixed(job):
        way = "files" if job.variant.name == "id" else "live"
        return [reworded(r, "live", way) for r in records_of(job)]

    titles = [column.title for column in tested_columns(mixed) if column.quantity.name == "mce"]
    assert titles == ["mCE (reference = 100) [fashion-c-live]", "mCE (reference = 100) [fashion-c-files]"]


def test_jobs_that_never_ended_well_have_columns(tested_columns, records_of):
    def clean(job):
        return None if job.name in ("robustness", "imagenet_a") else records_of(job)

    found = {column.key: column for column in tested_columns(clean)}
    assert found["mce"].title == "mCE (reference = 100)"
    assert (found["imagenet_a_top1"].title, found["imagenet_a_top1"].protocol) == ("imagenet_a top-1 (%)", "")


def test_one_of_two_robustness_jobs_that_never_ended_well_has_a_column(
    tiny, make_graph, fill_store, records_of, tested
):
    graph = tested(make_graph(tiny))
    more = [
        job.model_copy(update={"id": f"f-{job.id}", "name": "files"})
        for job in graph.jobs
        if job.name == "robustness"
    ]
    folder = fill_store(
        replace(graph, jobs=(*graph.jobs, *more)),
        lambda job: None if job.name == "files" else records_of(job),
    )
    found = create_columns(load_table([folder]), folder.manifest()["jobs"])
    titles = [column.title for column in found if column.quantity.name == "mce"]
    assert titles == [
        "mCE (reference = 100)",
        "Δ mCE (reference = 100)",
        "mCE (reference = 100) [files]",
    ]


def test_differences_on_corrupted_images_and_other_data_are_shown_where_there_are_several_seeds(
    tiny, make_graph, fill_store, tested
):
    def deltas(seeds):
        folder = fill_store(tested(make_graph({**tiny, "seeds": seeds})))
        found = create_columns(load_table([folder]), folder.manifest()["jobs"])
        return [column.title for column in found if column.is_delta]

    assert deltas([0]) == ["Δ top-1 (%)"]
    assert deltas([0, 1]) == ["Δ top-1 (%)", "Δ mCE (reference = 100)", "Δ imagenet_a top-1 (%)"]


def test_corrupted_images_and_other_data_are_tables_of_their_own(tested_columns):
    published = [
        Column(f"{name}_published", quantity(name), "", is_published=True)
        for name in ("top1", "mce", "imagenet_a_top1", "miou")
    ]
    found = panels([*tested_columns(), *published])
    assert {name: [column.key for column in group] for name, group in found.items()} == {
        "": ["top1", "params", "macs", "latency_ms", "top1_published", "miou_published"],
        "on corrupted images": ["mce", "relative_mce", "corruption_error", "clean_error", "mce_published"],
        "on other data": ["imagenet_a_top1", "imagenet_a_top1_all_classes", "imagenet_a_top1_published"],
    }
    assert list(panels(published)) == [""]
