import json
import os

import pandas as pd
import pytest

from lsbench.core.facets import Facets
from lsbench.core.record import measured
from lsbench.store.results import ResultsFolder
from lsbench.tables.frames.cache import CACHE
from lsbench.tables.frames.load import LONG_COLUMNS, load_table

FIRST = ["schema_version", "suite", "preset", "job_id", "kind", "variant"]


@pytest.fixture
def graph(tiny, make_graph):
    return make_graph(tiny)


def test_one_row_per_record_with_the_documented_columns_and_types(graph, fill_store, records_of):
    table = load_table([fill_store(graph)])
    assert list(table.columns)[:6] == FIRST
    assert {name: str(kind) for name, kind in table.dtypes.items()} == LONG_COLUMNS
    assert len(table) == sum(len(records_of(job)) for job in graph.jobs)
    row = table[(table.metric == "top1") & (table.variant == "ls") & (table.seed == 1)].iloc[0]
    assert (row.value, row.unit, row.n, row.status, row.attempt) == (0.5, "fraction", 20, "ok", 1)
    assert (row.suite, row.preset, row.model, row.mixer) == ("tiny", "default", "lsnet_nano", "ls_conv")
    assert row.job == "evaluate"
    assert bool(row.higher_is_better) is True
    assert json.loads(row.setting)["split"] == "test"
    assert json.loads(row.provenance)["cpu"] == "a cpu"


def test_what_was_not_measured_is_null_and_never_zero(graph, fill_store, records_of):
    def without_value(job):
        return [{**record, "value": None, "n": None} for record in records_of(job)]

    table = load_table([fill_store(graph, without_value)])
    for column in ("value", "n", "ci_low", "ci_high", "ci_method"):
        assert table[column].isna().all()
    assert table[table.kind == "profile"].seed.isna().all()
    assert not (table.select_dtypes("number").drop(columns=["schema_version", "seed"]) == 0).any(axis=None)


def test_facets_are_typed_columns_whichever_version_stored_them(tiny, make_graph, fill_store):
    told = Facets(method="acme", classes=6, weights="ema", version="1", more={"iou": 0.5})

    def records(job):
        if job.kind != "evaluate":
            return []
        facets = told if job.seed == 0 else told.without("classes")
        record = {"job_id": job.id, **measured("top1", 0.5, facets=facets).model_dump(mode="json")}
        return [record if job.variant.name == "ls" else {**record, "protocol": "test|ema|classes=6|v1"}]

    def stored(job):
        found = records(job)
        is_old = job.variant.name == "id"
        return [{k: v for k, v in one.items() if not (is_old and k == "facets")} for one in found]

    table = load_table([fill_store(make_graph(tiny), stored)])
    rows = table[table.metric == "top1"]
    new, old = rows[rows.variant == "ls"], rows[rows.variant == "id"]
    assert new.method.tolist() == ["acme", "acme"]
    assert new.classes.fillna(0).tolist() == [6, 0]
    assert (old.split.tolist(), old.classes.tolist()) == (["test", "test"], [6, 6])
    assert set(rows.weights) == {"ema"}
    assert [Facets.model_validate_json(text) for text in new.facets] == [told, told.without("classes")]
    assert rows[["epoch", "corruption", "severity"]].isna().all(axis=None)
    without = table[table.metric.isna()]
    assert without[["facets", "method", "classes"]].isna().all(axis=None)


def test_the_schema_version_is_that_of_what_is_stored(graph, fill_store, records_of, job_lines):
    ok_line, _ = job_lines
    folder = fill_store(graph)
    folder.add_job({**ok_line(graph.jobs[0]), "schema_version": 2}, [])
    table = load_table([folder])
    versions = dict(zip(table.job_id, table.schema_version, strict=True))
    assert {name: version for name, version in versions.items() if version == 2} == {graph.jobs[0].id: 2}


def test_a_job_without_records_has_one_row_that_says_why(graph, fill_store, records_of):
    def only_ls(job):
        return records_of(job) if job.variant.name == "ls" else None

    table = load_table([fill_store(graph, only_ls, failed=("id/train/seed0",))])
    rows = table[table.variant == "id"]
    assert len(rows) == 5
    assert rows.metric.isna().all()
    failed = rows[rows.status == "failed"].iloc[0]
    assert (failed.error, failed.attempt) == ("ValueError: too bad", 2)
    missing = rows[rows.status == "waiting"]
    assert len(missing) == 4
    assert missing.attempt.isna().all()
    assert missing.error.isna().all()


def test_rows_of_the_suite_that_share_a_job_both_show_it(tiny, make_graph, fill_store):
    tiny["variants"].append({"name": "twin", "mixer": "identity"})
    table = load_table([fill_store(make_graph(tiny))])
    assert len(table[table.variant == "twin"]) == len(table[table.variant == "id"]) > 0


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"no parquet at all"])
def test_a_damaged_cache_is_written_anew(damage, graph, fill_store):
    folder = fill_store(graph)
    first = load_table([folder])
    (folder.root / CACHE).write_bytes(damage)
    pd.testing.assert_frame_equal(load_table([folder]), first, check_flags=False)
    assert len(pd.read_parquet(folder.root / CACHE)) == len(first)


def test_cached_and_fresh_tables_are_equal(graph, fill_store):
    folder = fill_store(graph)
    fresh, cached = load_table([folder]), load_table([folder])
    pd.testing.assert_frame_equal(fresh, cached)
    os.remove(folder.root / CACHE)
    pd.testing.assert_frame_equal(load_table([folder]), fresh)


def test_no_results_are_an_empty_table_of_the_same_columns(tmp_path):
    for folders in ([], [ResultsFolder(tmp_path / "nowhere")]):
        table = load_table(folders)
        assert len(table) == 0
        assert {name: str(kind) for name, kind in table.dtypes.items()} == LONG_COLUMNS


def test_several_folders_come_in_one_table(tiny, make_graph, fill_store):
    folders = [fill_store(make_graph(tiny)), fill_store(make_graph({**tiny, "name": "other"}))]
    table = load_table(folders)
    assert table.groupby("suite").size().to_dict() == {"tiny": len(table) // 2, "other": len(table) // 2}
