import pandas as pd
import pytest

from lsbench.store.results import ResultsFolder
from lsbench.tables.frames.load import load_table
from lsbench.tables.robustness import (
    CORRUPTION_COLUMNS,
    CorruptionFigure,
    figures_of,
    load_corruptions,
    robustness_notes,
    robustness_rows,
    to_record,
)


@pytest.fixture
def graph(tiny, make_graph, tested):
    return tested(make_graph(tiny))


def figure(value, corruption="fog", severity=None, **changes):
    fields = {
        "variant": "ls",
        "title": "LS",
        "seed": 0,
        "dataset": "fashion",
        "protocol": "live|v1",
        "method": "live",
    }
    fields |= {"metric": "corruption_error", "n": None if value is None else 20, **changes}
    return CorruptionFigure(corruption=corruption, severity=severity, value=value, **fields)


def test_one_row_per_figure_of_a_corruption_with_the_documented_columns_and_types(graph, fill_store):
    frame = load_corruptions([fill_store(graph)])
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == CORRUPTION_COLUMNS
    assert len(frame) == 4 * 2 * (2 + 2)
    row = frame[(frame.variant == "id") & (frame.corruption == "snow") & (frame.severity == 2)].iloc[0]
    assert (row.metric, row.value, row.n) == ("corruption_error", pytest.approx(0.5), 20)
    assert (row.dataset, row.protocol) == ("fashion", "fashion-c-live|c2|s2|res=32|ref=knn5|n=20|v1")
    over_all = frame[frame.severity.isna()]
    assert set(over_all.metric) == {"ce", "corruption_error"}


def test_the_long_table_holds_no_figure_of_a_corruption(graph, fill_store):
    assert not load_table([fill_store(graph)]).protocol.str.contains("corruption=").any()


def test_a_failed_job_has_no_figures_and_what_is_withheld_stays_null(graph, fill_store, records_of):
    def incomplete(job):
        records = records_of(job)
        return [{**r, "value": None, "n": None} if "fog" in r["protocol"] else r for r in records]

    frame = load_corruptions([fill_store(graph, incomplete, failed=("id/robustness/seed1",))])
    assert set(frame[frame.variant == "id"].seed) == {0}
    assert frame[frame.corruption == "fog"].value.isna().all()
    assert {f.value for f in figures_of(frame) if f.corruption == "fog"} == {None}


def test_the_frame_is_kept_and_can_be_lost(graph, fill_store, tmp_path):
    folder = fill_store(graph)
    first = load_corruptions([folder])
    pd.testing.assert_frame_equal(load_corruptions([folder]), first)
    empty = load_corruptions([ResultsFolder(tmp_path / "nowhere")])
    assert list(empty.columns) == list(CORRUPTION_COLUMNS)
    assert figures_of(empty) == []


def test_a_figure_keeps_its_types(graph, fill_store):
    found = figures_of(load_corruptions([fill_store(graph)]))
    condition = next(f for f in found if f.severity == 2 and f.corruption == "fog" and f.variant == "ls")
    assert to_record(condition) == {
        "variant": "ls",
        "seed": 0,
        "dataset": "fashion",
        "protocol": "fashion-c-live|c2|s2|res=32|ref=knn5|n=20|v1",
        "corruption": "fog",
        "severity": 2,
        "metric": "corruption_error",
        "value": pytest.approx(0.3),
        "n": 20,
    }
    assert (type(condition.seed), type(condition.severity), type(condition.value)) == (int, int, float)


def test_a_row_holds_the_means_over_seeds_in_the_order_of_the_benchmark():
    figures = [
        figure(value, name, seed=seed)
        for seed, values in enumerate([(0.2, 0.4), (0.4, 0.8)])
        for name, value in zip(("fog", "gaussian_noise"), values, strict=True)
    ]
    [row] = robustness_rows([*figures, figure(0.9, severity=3), figure(0.7, metric="ce")])
    assert (row.title, row.seeds, list(row.errors)) == ("LS", 2, ["gaussian_noise", "fog"])
    assert {name: found.value for name, found in row.errors.items()} == {
        "gaussian_noise": pytest.approx(0.6),
        "fog": pytest.approx(0.3),
    }


def test_a_seed_without_all_severities_is_left_out_and_counted():
    [row] = robustness_rows(
        [figure(0.2), figure(None, seed=1), figure(None, "snow"), figure(None, "snow", seed=1)]
    )
    assert (row.errors["fog"].value, row.errors["fog"].n, row.seeds) == (0.2, 1, 2)
    assert row.errors["snow"] is None


def test_each_protocol_has_a_row_of_its_own():
    rows = robustness_rows(
        [figure(0.2), figure(0.3, protocol="files|v1", method="files"), figure(0.4, variant="id", title="id")]
    )
    assert [row.title for row in rows] == ["LS [live]", "LS [files]", "id"]


def test_missing_conditions_are_named():
    conditions = [
        figure(None if severity > 1 else 0.5, name, severity)
        for name in ("fog", "snow")
        for severity in range(1, 6)
    ]
    assert robustness_notes([*conditions, figure(None)]) == [
        "LS, seed 0: 8 of 10 conditions of live are missing: fog/2, fog/3, fog/4, fog/5, snow/2 and 3 more. "
        "Means over the rest are withheld."
    ]
    assert robustness_notes([figure(0.5, severity=1, seed=None)]) == []


def test_the_table_of_errors_has_no_row_of_a_detector():
    of_detector = [figure(0.4, "fog", None, metric="retinanet_ap", protocol="retinanet|v1")]
    assert robustness_rows(of_detector) == []
    assert len(robustness_rows([figure(0.2), *of_detector])) == 1
    assert robustness_notes([figure(None, "fog", 1, metric="retinanet_ap"), *of_detector]) == []
