import pytest

from lsbench.tables.curves import Curve
from lsbench.tables.training import training_notes, training_rows


def curve(metric, values, *, variant="ls", seed=0, protocol="p", epochs=None, lr_scale=1.0):
    epochs = tuple(range(1, len(values) + 1)) if epochs is None else epochs
    return Curve(variant, variant.upper(), protocol, seed, metric, epochs, tuple(values), lr_scale)


def test_curves_are_means_over_the_seeds_of_the_epochs_that_all_have():
    [row] = training_rows(
        [
            curve("val_top1", [0.1, 0.3, 0.5]),
            curve("val_top1", [0.3, 0.7], seed=1, epochs=(1, 3)),
            curve("train_loss", [2.0, 1.0, 0.5]),
        ]
    )
    assert (row.title, row.seeds, row.waiting) == ("LS", 2, None)
    assert (row.curves["val_top1"].epochs, row.curves["val_top1"].seed) == ((1, 3), None)
    assert row.curves["val_top1"].values == pytest.approx((0.2, 0.6))
    assert row.curves["train_loss"].values == (2.0, 1.0, 0.5)


def test_metrics_come_in_one_order_and_others_are_not_drawn():
    found = training_rows([curve(metric, [1.0, 2.0]) for metric in ("lr", "train_loss", "val_top1")])
    assert list(found[0].curves) == ["val_top1", "train_loss"]


def test_a_variant_trained_in_two_ways_has_two_rows_that_say_so():
    rows = training_rows([curve("train_loss", [2.0, 1.0], protocol=p) for p in ("10ep", "90ep")])
    assert [row.title for row in rows] == ["LS [10ep]", "LS [90ep]"]


@pytest.mark.parametrize("curves", [[], [curve("train_loss", [1.0])], [curve("lr", [1.0, 2.0])]])
def test_what_has_no_shape_has_no_row(curves):
    assert training_rows(curves) == []


def test_a_loader_that_starves_the_device_is_named_with_its_worst_epoch():
    slow = [curve("data_wait_frac", [0.6, 0.2]), curve("data_wait_frac", [0.2, 0.2], seed=1)]
    quick = [curve("data_wait_frac", [0.3, 0.0, 0.0, 0.0], variant="id")]
    assert training_notes([*slow, *quick]) == [
        "LS: the device waited for data 30 % of the time, 60 % in epoch 1; "
        "raise data_workers, which does not change results."
    ]
    [row] = training_rows([*slow, curve("train_loss", [2.0, 1.0])])
    assert row.waiting == pytest.approx(0.3)


def test_a_lowered_learning_rate_is_said_once_per_training():
    curves = [
        curve(metric, [2.0, 1.0], seed=seed, lr_scale=scale)
        for seed, scale in ((0, 1.0), (1, 0.25), (None, 0.5))
        for metric in ("train_loss", "val_top1")
    ]
    notes = training_notes(curves)
    assert [note.split(":")[0] for note in notes] == ["LS, seed 1", "LS"]
    assert "at 0.25 times the recipe's learning rate" in notes[0]
