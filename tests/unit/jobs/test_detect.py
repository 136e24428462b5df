import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from lsbench.core.errors import ConfigError
from lsbench.core.registry import JOBS
from lsbench.engine.trainer import Trainer
from lsbench.engine.weights import WEIGHTS, load
from lsbench.models.weights_digest import weights_sha256
from lsbench.scheduler.child import execute
from lsbench.store.resampled_numbers import read_resampled

DETECT = JOBS.load("detect")
TWELVE = {"ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"} | {
    *("ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large")
}


def run(folder):
    events = []
    execute(folder, events.append)
    return events


def whole(records):
    return {
        record["metric"]: record for record in records if not {"epoch", "category"} & record["facets"].keys()
    }


def test_it_works_on_detection_after_a_training():
    assert (DETECT.task, DETECT.needs, DETECT.can_be_distributed) == ("detection", ("train",), True)
    assert DETECT.spec.short_field == "detector"


def test_a_step_costs_three_forward_passes_and_a_checkpoint_is_only_tested():
    images = {"train": 100, "test": 7}.get
    spec = DETECT.spec(epochs=4)
    assert DETECT.cost(spec, 2e6, images) / DETECT.cost(DETECT.spec(checkpoint="a.pth"), 2e6, images) == (
        pytest.approx((3 * 400 + 7) / 7)
    )


@pytest.mark.parametrize(
    ("detector", "names"),
    [
        ("retinanet", {f"retinanet_{name}" for name in TWELVE}),
        ("maskrcnn", {f"maskrcnn_{name}_{region}" for name in TWELVE for region in ("box", "mask")}),
    ],
)
def test_a_detector_is_trained_and_tested(detector, names, prepare_scenes, stored_records):
    folder = prepare_scenes("job", "detect", detector=detector, lr=1e-3, epochs=3)
    events = run(folder)
    records = stored_records(folder)
    found = whole(records)
    assert found.keys() == {*names, "train_loss"}
    one = found[min(names)]
    assert (one["n"], one["dataset"], one["facets"]["method"]) == (6, "fashion_coco", detector)
    assert one["protocol"] == f"{detector}|test|3ep|bs=4|lr=0.001|res=64|n=6|backbone=none|v1"
    assert all(record["value"] is None or 0 <= record["value"] <= 1 for record in map(found.get, names))
    epochs = [event for event in events if event["ev"] == "epoch"]
    assert [event["epoch"] for event in epochs] == [1, 2, 3]
    assert all("val_ap" in event for event in epochs)
    of_classes = {record["facets"]["category"] for record in records if "category" in record["facets"]}
    assert of_classes == {"top", "trouser", "dress", "shoe", "bag"}
    losses = [r["value"] for r in records if r["metric"] == "train_loss" and "epoch" in r["facets"]]
    assert min(losses[1:]) < losses[0]


def test_what_it_found_in_each_image_is_kept_for_comparisons(prepare_scenes, stored_records):
    folder = prepare_scenes("job", "detect", detector="maskrcnn", iterations=2)
    run(folder)
    with np.load(folder / "detections.npz") as file:
        arrays = {name: file[name] for name in file.files}
    assert len(arrays["names"]) == 6
    assert len(arrays["first"]) == 7
    count = arrays["first"][-1]
    assert arrays["boxes"].shape == (count, 4)
    assert len(arrays["mask_first"]) == count + 1
    assert arrays["mask_sizes"].tolist() == [[64, 64]] * count
    assert {"box_hit", "mask_hit", "box_class_ends"} <= arrays.keys()
    value = whole(stored_records(folder))["maskrcnn_ap_box"]["value"]
    kept = read_resampled(folder, "maskrcnn_ap_box", value)
    assert (kept.count, kept.sha256) == (6, str(arrays["images_sha256"]))
    assert len(kept.values) == 1000


class StopError(Exception):
    """The process dies."""


STEPS = 6  # two epochs of three updates


@pytest.mark.parametrize("stop_at", [1, 4])
def test_stopped_within_an_epoch_it_ends_with_the_same_weights_and_records(
    stop_at, prepare_scenes, stored_records, monkeypatch
):
    settings = {"detector": "maskrcnn", "device_batch_size": 2}
    unbroken = prepare_scenes("unbroken", "detect", **settings)
    run(unbroken)
    broken, update = prepare_scenes("broken", "detect", **settings), Trainer._update

    def dying(trainer, batches, clock):
        if trainer.progress.update == stop_at:
            raise StopError
        return update(trainer, batches, clock)

    monkeypatch.setattr(Trainer, "_update", dying)
    with pytest.raises(StopError):
        run(broken)
    monkeypatch.setattr(Trainer, "_update", update)
    run(broken)
    assert weights_sha256(load(broken / WEIGHTS)) == weights_sha256(load(unbroken / WEIGHTS))
    assert stored_records(broken) == stored_records(unbroken)


#: Runs a job and kills its own process, without any farewell, before an update.
KILLED = """\
import os, signal, sys
from pathlib import Path
from lsbench.engine.trainer import Trainer
from lsbench.scheduler.child import execute
update = Trainer._update
def dying(trainer, batches, clock):
    if trainer.progress.update == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return update(trainer, batches, clock)
Trainer._update = dying
execute(Path(sys.argv[1]), lambda event: None)
"""


def test_killed_within_an_epoch_it_ends_with_the_same_weights(prepare_scenes):
    unbroken = prepare_scenes("unbroken", "detect")
    run(unbroken)
    broken = prepare_scenes("broken", "detect")
    command = [sys.executable, "-c", KILLED, str(broken), "4"]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    assert list((broken / "checkpoints").glob("step-*4.pt")), "the update before was kept"
    run(broken)
    assert weights_sha256(load(broken / WEIGHTS)) == weights_sha256(load(unbroken / WEIGHTS))


def test_a_backbone_without_four_maps_is_named_before_anything_is_trained(prepare_scenes, tiny):
    folder = prepare_scenes("job", "detect")
    spec = (folder / "spec.json").read_text()
    (folder / "spec.json").write_text(spec.replace('"stem_stride":8', '"stem_stride":2'))
    with pytest.raises(ConfigError, match=r"id/detect/seed3: .*need four maps, each half the last"):
        run(folder)


def test_a_checkpoint_of_ours_is_tested_without_training(prepare_scenes, stored_records):
    trained = prepare_scenes("trained", "detect")
    run(trained)
    tested = prepare_scenes("tested", "detect", checkpoint=str(trained / WEIGHTS), batch_size=8)
    assert not [event for event in run(tested) if event["ev"] == "epoch"]
    before, after = (whole(stored_records(folder)) for folder in (trained, tested))
    assert after["retinanet_ap"]["facets"]["weights"] == "pretrained"
    assert "train_loss" not in after
    assert {name: after[name]["value"] for name in after} == {name: before[name]["value"] for name in after}


def test_a_limit_trains_a_few_updates_and_tests_a_few_images(prepare_scenes, stored_records):
    folder = prepare_scenes("job", "detect", limit=1)
    run(folder)
    found = whole(stored_records(folder))
    assert found["retinanet_ap"]["n"] == 4
    assert math.isfinite(found["train_loss"]["value"])
