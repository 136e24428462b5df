import pandas as pd
import pytest

from lsbench.store.results import ResultsFolder
from lsbench.tables.curves import CURVE_COLUMNS, Curve, curves_of, load_curves
from lsbench.tables.frames.cache import CACHE
from lsbench.tables.frames.load import load_table

TOPS = [0.1, 0.3, 0.2]


@pytest.fixture
def graph(tiny, make_graph):
    return make_graph(tiny)


@pytest.fixture
def trained(graph, fill_store, with_epochs, records_of):
    """A store in which every training has three epochs; the second was not validated."""

    def records(job):
        if job.kind != "train":
            return records_of(job)
        tops = [top + job.seed / 100 for top in TOPS]
        scale = 0.5 if job.label == "id/train/seed1" else None
        return with_epochs(
            job, {"train_loss": [3.0, 2.0, 1.0], "val_top1": [tops[0], None, tops[2]]}, lr_scale=scale
        )

    return fill_store(graph, records, failed=("ls/train/seed1",))


def test_one_row_per_figure_of_an_epoch_with_the_documented_columns_and_types(trained):
    frame = load_curves([trained])
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == CURVE_COLUMNS
    assert len(frame) == 3 * 2 * 3
    rows = frame[(frame.variant == "id") & (frame.seed == 1) & (frame.metric == "train_loss")]
    assert rows.epoch.tolist() == [1, 2, 3]
    assert rows.value.tolist() == [3.0, 2.0, 1.0]
    assert set(rows.protocol) == {"train|v1"}
    assert set(rows.lr_scale) == {0.5}
    assert frame[frame.variant == "ls"].lr_scale.isna().all()


def test_a_failed_training_has_no_curve(trained):
    frame = load_curves([trained])
    assert set(frame[frame.variant == "ls"].seed) == {0}


def test_the_table_holds_no_figure_of_an_epoch(trained):
    table = load_table([trained])
    assert not table.protocol.str.contains("epoch=").any()
    rows = table[(table.kind == "train") & (table.status == "ok")]
    assert (len(rows), set(rows.protocol)) == (3, {"train|v1"})


def test_the_frame_is_kept_and_can_be_lost(trained):
    first = load_curves([trained])
    pd.testing.assert_frame_equal(load_curves([trained]), first)
    (trained.root / CACHE).unlink()
    pd.testing.assert_frame_equal(load_curves([trained]), first)


def test_without_epochs_there_are_no_curves(graph, fill_store, tmp_path):
    for folder in (fill_store(graph), ResultsFolder(tmp_path / "nowhere")):
        frame = load_curves([folder])
        assert len(frame) == 0
        assert list(frame.columns) == list(CURVE_COLUMNS)
        assert curves_of(frame) == []


def test_a_curve_leaves_out_what_was_not_measured(trained):
    curves = {(c.variant, c.seed, c.metric): c for c in curves_of(load_curves([trained]))}
    assert len(curves) == 3 * 2
    found = curves["id", 1, "val_top1"]
    assert (found.epochs, found.values) == ((1, 3), pytest.approx((0.11, 0.21)))
    assert (found.lr_scale, curves["ls", 0, "val_top1"].lr_scale) == (0.5, 1.0)


def test_rows_of_the_suite_that_share_a_training_both_show_it(tiny, make_graph, fill_store, with_epochs):
    tiny["variants"].append({"name": "twin", "mixer": "identity"})
    folder = fill_store(
        make_graph(tiny), lambda job: with_epochs(job, {"lr": [1.0]} if job.kind == "train" else {})
    )
    curves = curves_of(load_curves([folder]))
    assert [curve.variant for curve in curves].count("twin") == 2


@pytest.mark.parametrize(
    ("metric", "best"), [("val_top1", (2, 0.9)), ("train_loss", (1, 0.1)), ("lr", None), ("odd", None)]
)
def test_the_best_epoch_is_the_earliest_of_the_best(metric, best):
    curve = Curve("v", "V", "p", 0, metric, (1, 2, 3, 4), (0.1, 0.9, 0.9, 0.1))
    assert (curve.first, curve.last, curve.best) == ((1, 0.1), (4, 0.1), best)
