import json

import numpy as np
import pytest

from lsbench.engine.downstream_run import SplitScores, interval_over
from lsbench.scheduler.child import execute
from lsbench.stats.resampled import draw_images

#: A rank runs the job in a folder; the device batch makes chunks that two ranks share.
OF_RANK = """
from pathlib import Path
from lsbench.scheduler.child import execute
events = []
execute(Path({folder!r}), events.append)
result["epochs"] = [event for event in events if event["ev"] == "epoch"]
"""


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        pytest.param("detect", {"detector": "retinanet"}, marks=pytest.mark.slow, id="retinanet"),
        pytest.param("detect", {"detector": "maskrcnn"}, id="maskrcnn"),
        pytest.param("segment", {}, marks=pytest.mark.slow, id="semantic_fpn"),
    ],
)
def test_two_ranks_follow_one(kind, settings, prepare_scenes, run_ranks):
    shared = {"device_batch_size": 2, "lr": 1e-4, "sync_batch_norm": False, "epochs": 2, **settings}
    alone, together = (prepare_scenes(name, kind, **shared) for name in ("alone", "together"))
    execute(alone, lambda event: None)
    spec = json.loads((together / "spec.json").read_text())
    spec["resources"]["num_ranks"] = 2
    (together / "spec.json").write_text(json.dumps(spec))
    first, second = (found["epochs"] for found in run_ranks(OF_RANK.format(folder=str(together))))
    expected = json.loads((alone / "history.json").read_text())["epochs"]
    numbers = [name for name in expected[0] if name not in ("train_s", "data_wait_frac")]
    for one, other in zip(first, second, strict=True):
        assert {name: one[name] for name in numbers} == {name: other[name] for name in numbers}
    assert first[0]["loss"] == pytest.approx(expected[0]["loss"], rel=1e-5)
    assert first[1]["loss"] == pytest.approx(expected[1]["loss"], rel=1e-3)
    assert first[1]["val_images"] == expected[1]["val_images"] == 6
    records = [
        {r["metric"]: r["value"] for r in json.loads((folder / "result.json").read_text())["records"]}
        for folder in (alone, together)
    ]
    assert records[0].keys() == records[1].keys()


def scores_of(values):
    """The test of images whose number is the mean of these values."""
    values = np.array(values)

    def over(weights):
        return {"mean": float(weights @ values / weights.sum()), "first": None if weights[0] == 0 else 1.0}

    return SplitScores({"mean": float(values.mean())}, {}, ("a", "b", "c"), over, lambda folder: None)


def test_numbers_over_resampled_images_are_those_that_all_jobs_share():
    found = scores_of([0.0, 1.0, 2.0]).resampled(50)
    weights = draw_images(3, 50)
    assert found["mean"] == pytest.approx(weights @ [0.0, 1.0, 2.0] / 3)
    assert np.isnan(found["first"]).tolist() == (weights[:, 0] == 0).tolist()


def test_an_interval_holds_the_middle_of_the_resamples():
    found = interval_over(np.append(np.arange(1000) / 1000, np.nan))
    assert (found["ci_low"], found["ci_high"]) == (
        pytest.approx(0.025, abs=1e-3),
        pytest.approx(0.974, abs=1e-3),
    )
    assert found["ci_method"] == "bootstrap 95%, over images"


@pytest.mark.parametrize("unknown", [None, np.full(9, np.nan), np.full(9, 0.5)])
def test_numbers_without_a_spread_have_no_interval(unknown):
    assert interval_over(unknown) == {}


def test_a_test_after_the_last_update_is_not_done_again(prepare_scenes, monkeypatch):
    from lsbench.engine.segmentation import SegmentationBench

    splits, test = [], SegmentationBench.test
    monkeypatch.setattr(
        SegmentationBench,
        "test",
        lambda self, model, split, **more: (splits.append(split), test(self, model, split, **more))[1],
    )
    execute(prepare_scenes("job", "segment", epochs=2), lambda event: None)
    assert splits == ["val", "val"], "its test split is its validation split"
    execute(prepare_scenes("seldom", "segment", epochs=2, validate_every=0, split="val"), lambda event: None)
    assert splits == ["val"] * 3
