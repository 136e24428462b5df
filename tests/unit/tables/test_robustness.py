import pytest

from lsbench.tables.frames.corruptions import load_corruptions
from lsbench.tables.robustness import (
    CorruptionFigure,
    figures_of,
    performance_rows,
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
    assert (row.title, row.seeds, list(row.means)) == ("LS", 2, ["gaussian_noise", "fog"])
    assert {name: found.value for name, found in row.means.items()} == {
        "gaussian_noise": pytest.approx(0.6),
        "fog": pytest.approx(0.3),
    }


def test_a_seed_without_all_severities_is_left_out_and_counted():
    [row] = robustness_rows(
        [figure(0.2), figure(None, seed=1), figure(None, "snow"), figure(None, "snow", seed=1)]
    )
    assert (row.means["fog"].value, row.means["fog"].n, row.seeds) == (0.2, 1, 2)
    assert row.means["snow"] is None


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


def test_detectors_and_segmenters_have_a_row_for_each_metric():
    def of(metric, value, corruption="fog", **more):
        return figure(value, corruption, metric=metric, protocol=f"{metric}|v1", method="maskrcnn", **more)

    found = performance_rows(
        [
            *(of("maskrcnn_ap_mask", value, seed=seed) for seed, value in enumerate((0.2, 0.4))),
            of("maskrcnn_ap_mask", None, "snow"),
            of("maskrcnn_ap_mask", 0.9, severity=1),
            of("miou", 0.5, variant="id", title="id"),
            figure(0.3),
            figure(0.7, metric="ce"),
        ]
    )
    assert [(row.metric, row.title, row.protocol, row.seeds) for row in found] == [
        ("maskrcnn_ap_mask", "LS", "maskrcnn_ap_mask|v1", 2),
        ("miou", "id", "miou|v1", 1),
    ]
    assert found[0].means["fog"].value == pytest.approx(0.3)
    assert found[0].means["snow"] is None
    assert performance_rows([figure(0.3)]) == []
