import json
from types import SimpleNamespace

import pytest

from lsbench.core.facets import Facets
from lsbench.engine.curves import Curves

HISTORY = [
    {"loss": 2.0, "lr": 0.1, "data_wait_frac": 0.0, "train_s": 1.0},
    {"loss": 1.0, "lr": 0.05, "data_wait_frac": 0.5, "train_s": 1.0, "val_ap": 0.25},
]


@pytest.fixture
def curves(tmp_path):
    return Curves(SimpleNamespace(folder=tmp_path), {"retinanet_ap": "val_ap"})


def test_every_value_of_every_epoch_is_a_record(curves):
    found = list(curves.records(HISTORY, dataset="coco", facets=Facets(method="retinanet")))
    assert [(one.metric, one.facets.epoch, one.value) for one in found] == [
        ("train_loss", 1, 2.0),
        ("lr", 1, 0.1),
        ("data_wait_frac", 1, 0.0),
        ("train_loss", 2, 1.0),
        ("retinanet_ap", 2, 0.25),
        ("lr", 2, 0.05),
        ("data_wait_frac", 2, 0.5),
    ]
    assert {one.dataset for one in found} == {"coco"}


def test_readers_find_the_epochs_so_far_and_how_many_there_will_be(curves, tmp_path):
    trainer = SimpleNamespace(progress=SimpleNamespace(history=HISTORY), planned_epochs=12)
    curves.write(trainer, weights_sha256="ab")
    expected = {"epochs": HISTORY, "of_epochs": 12, "weights_sha256": "ab"}
    assert json.loads((tmp_path / "history.json").read_text()) == expected
