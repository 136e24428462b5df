import numpy as np
import pytest

from lsbench.core.registry import JOBS
from lsbench.engine.trainer import Trainer
from lsbench.engine.weights import WEIGHTS, load
from lsbench.models.weights_digest import weights_sha256
from lsbench.scheduler.child import execute
from lsbench.store.resampled_numbers import read_resampled

SEGMENT = JOBS.load("segment")
NUMBERS = {"miou", "pixel_accuracy", "mean_accuracy"}


def whole(records):
    return {
        record["metric"]: record for record in records if not {"epoch", "category"} & record["facets"].keys()
    }


def test_it_works_on_segmentation_after_a_training():
    assert (SEGMENT.task, SEGMENT.needs, SEGMENT.can_be_distributed) == ("segmentation", ("train",), True)


def test_a_step_costs_three_forward_passes():
    images = {"train": 100, "test": 7}.get
    one, two = (SEGMENT.cost(SEGMENT.spec(iterations=n, batch_size=8), 2e6, images) for n in (10, 20))
    assert two - one == pytest.approx(3 * 10 * 8 * 2e6 * 2)


def test_a_segmenter_is_trained_for_a_number_of_updates_and_tested(prepare_scenes, stored_records):
    folder = prepare_scenes("job", "segment", iterations=4, lr=3e-3)
    events = []
    execute(folder, events.append)
    records = stored_records(folder)
    found = whole(records)
    assert found.keys() == {*NUMBERS, "train_loss"}
    protocol = found["miou"]["protocol"]
    assert protocol == "semantic_fpn|test|batch=4|lr=0.003|res=64|n=6|backbone=none|iterations=4|v1"
    assert [event["epoch"] for event in events if event["ev"] == "epoch"] == [1, 2]
    with np.load(folder / "confusion.npz") as file:
        arrays = {name: file[name] for name in file.files}
    confusion = arrays["confusion"]
    assert confusion.sum() == 6 * 64 * 64
    right = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - right
    expected = (right[union > 0] / union[union > 0]).mean()
    assert found["miou"]["value"] == pytest.approx(expected, abs=1e-12)
    assert found["pixel_accuracy"]["value"] == pytest.approx(right.sum() / confusion.sum(), abs=1e-12)
    of_classes = {
        record["facets"]["category"]: record["value"] for record in records if record["metric"] == "class_iou"
    }
    assert of_classes.keys() == {"background", "top", "trouser", "dress", "shoe", "bag"}
    kept = read_resampled(folder, "miou", found["miou"]["value"])
    low, high = np.quantile(kept.values, [0.025, 0.975])
    assert (found["miou"]["ci_low"], found["miou"]["ci_high"]) == (pytest.approx(low), pytest.approx(high))
    assert low <= found["miou"]["value"] <= high


class StopError(Exception):
    """The process dies."""


def test_stopped_within_an_epoch_it_ends_with_the_same_weights(prepare_scenes, stored_records, monkeypatch):
    settings = {"iterations": 5, "warmup": {"updates": 2}, "schedule": {"kind": "poly", "min_lr": 1e-6}}
    unbroken = prepare_scenes("unbroken", "segment", **settings)
    execute(unbroken, lambda event: None)
    broken, update = prepare_scenes("broken", "segment", **settings), Trainer._update

    def dying(trainer, batches, clock):
        if trainer.progress.update == 4:
            raise StopError
        return update(trainer, batches, clock)

    monkeypatch.setattr(Trainer, "_update", dying)
    with pytest.raises(StopError):
        execute(broken, lambda event: None)
    monkeypatch.setattr(Trainer, "_update", update)
    execute(broken, lambda event: None)
    assert weights_sha256(load(broken / WEIGHTS)) == weights_sha256(load(unbroken / WEIGHTS))
    assert stored_records(broken) == stored_records(unbroken)
