from dataclasses import dataclass, field

import numpy as np
import pytest

from lsbench.core.atomic import write_text
from lsbench.core.facets import Facets
from lsbench.core.job import JobContext
from lsbench.core.registry import JOBS
from lsbench.engine.downstream_run import SplitScores
from lsbench.robustness.downstream import COMPLETE, further_tests
from lsbench.scheduler.child import execute
from lsbench.store.results import SPEC

DETECT = JOBS.load("detect").spec
PATHS = ("a", "b", "c", "d")


def scores_of(values):
    """A test of four images whose AP is the mean of these values."""
    values = np.array(values, dtype=float)

    def over(weights):
        return {"retinanet_ap": float(weights @ values / weights.sum())}

    return SplitScores({"retinanet_ap": float(values.mean())}, {}, PATHS, over, lambda folder: None)


@dataclass
class FakeBench:
    """Each severity takes a tenth of the clean performance."""

    asked: list = field(default_factory=list)
    robust: dict = field(default_factory=lambda: {"retinanet_ap": ("retinanet_mpc", "retinanet_rpc")})
    clean = np.array([0.2, 0.6, 0.4, 0.8])

    def test(self, model, split, *, condition=None, on_batch=None):
        self.asked.append((split, condition))
        return scores_of(self.clean * (1 - 0.1 * condition[1]))


@pytest.fixture
def run(tiny, make_graph, tmp_path):
    job = make_graph(tiny).jobs[0]

    def start(bench, sha256="w", **settings):
        context = JobContext(job, DETECT(**settings), tmp_path, {}, "cpu", lambda event: None)
        found = further_tests(context, bench, None, scores_of(bench.clean), sha256)
        where = {"dataset": "coco", "n": 4}
        return found, list(found.records(Facets(method="retinanet", n=4, version="1"), where, {}))

    return start


def test_the_whole_benchmark_gives_mpc_and_rpc_with_intervals_over_images(run):
    bench = FakeBench()
    found, records = run(bench, corruptions="benchmark")
    assert bench.asked == [("test", condition) for condition in COMPLETE]
    by_name = {one.metric: one for one in records if not one.facets.is_of_a_part}
    assert by_name["retinanet_mpc"].value == pytest.approx(0.5 * 0.7)
    assert by_name["retinanet_rpc"].value == pytest.approx(0.7)
    assert by_name["retinanet_mpc"].ci_low < 0.35 < by_name["retinanet_mpc"].ci_high
    np.testing.assert_allclose(found.resampled["retinanet_rpc"], 0.7)
    told = "c15|s5|imagecorruptions|png"
    assert by_name["retinanet_mpc"].protocol == f"retinanet|{told}|n=4|v1"
    parts = {(one.facets.corruption, one.facets.severity): one.value for one in records}
    assert parts["fog", 3] == pytest.approx(0.5 * 0.7)
    assert parts["fog", None] == pytest.approx(0.5 * 0.7)
    assert parts["snow", 5] == pytest.approx(0.25)
    assert len(records) == 2 + 15 + 75


@pytest.mark.parametrize(
    "settings", [{"corruptions": ["fog", "snow"]}, {"corruptions": "benchmark", "severities": [1, 3]}]
)
def test_of_fewer_conditions_the_means_are_withheld_and_the_parts_are_given(run, settings):
    found, records = run(FakeBench(), **settings)
    by_name = {one.metric: one.value for one in records if not one.facets.is_of_a_part}
    assert by_name == {"retinanet_mpc": None, "retinanet_rpc": None}
    assert not found.resampled
    assert all(one.value is not None for one in records if one.facets.is_of_a_part)
    assert "|s5|" not in records[0].protocol or "|c15|" not in records[0].protocol


def test_finished_conditions_are_not_tested_again_unless_the_weights_changed(run, tmp_path):
    first, again, other = FakeBench(), FakeBench(), FakeBench()
    settings = {"corruptions": ["fog", "snow"], "severities": [1, 2]}
    _, expected = run(first, **settings)
    (tmp_path / "cells" / "snow-2.npz").write_bytes(b"torn")
    _, found = run(again, **settings)
    assert again.asked == [("test", ("snow", 2))]
    assert found == expected
    run(other, sha256="other", **settings)
    assert len(other.asked) == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"corruptions": ["fgo"]}, "unknown corruption 'fgo'.*did you mean 'fog'"),
        ({"corruptions": ["fog", "fog"]}, "expected each once, found 'fog' twice"),
        ({"corruptions": ["fog"], "severities": [6]}, "severity must be an integer from 1 to 5"),
    ],
)
def test_wrong_settings_are_told(settings, message):
    with pytest.raises(ValueError, match=message):
        DETECT(**settings)


def test_a_job_without_corruptions_keeps_its_id_and_one_with_them_costs_more():
    plain, more = DETECT(), DETECT(corruptions="benchmark")
    assert not {"corruptions", "severities"} & DETECT.identity_of(plain.model_dump(mode="json")).keys()
    assert "corruptions" in DETECT.identity_of(more.model_dump(mode="json"))
    assert (plain.tested_images(5), more.tested_images(5)) == (5, 5 * 76)


@pytest.mark.parametrize(
    ("kind", "settings", "metric"),
    [("detect", {"detector": "retinanet"}, "retinanet_ap"), ("segment", {}, "miou")],
)
def test_real_jobs_test_their_weights_under_corruption(
    kind, settings, metric, prepare_scenes, stored_records
):
    corrupted = {"corruptions": ["contrast"], "severities": [1, 5]}
    folder = prepare_scenes("job", kind, iterations=1, **corrupted, **settings)
    execute(folder, lambda event: None)
    records = stored_records(folder)
    parts = [one for one in records if "corruption" in one["facets"]]
    assert {(one["metric"], one["facets"].get("severity")) for one in parts} == {
        (metric, 1),
        (metric, 5),
        (metric, None),
    }
    model = settings.get("detector", "semantic_fpn")
    [mean] = [one for one in records if one["metric"] == f"{model}_mpc"]
    assert mean["value"] is None
    assert "c=contrast|s=1+5|res=64|imagecorruptions|png|n=6" in mean["protocol"]
    assert (folder / "cells" / "contrast-5.npz").is_file()


def test_the_weights_of_a_finished_job_are_tested_without_a_second_training(
    prepare_scenes, tiny, make_graph, tmp_path, stored_records
):
    prepare_scenes("job", "detect", iterations=2)
    [[kind, settings]] = tiny["jobs"][0].items()
    shared = {name: settings[name] for name in ("dataset", "head", "batch_size")}
    tested = {
        "name": "noisy",
        "trained_by": "boxes",
        "corruptions": ["contrast"],
        "severities": [5],
        **shared,
    }
    tiny["jobs"] = [{kind: {**settings, "name": "boxes"}}, {kind: tested}]
    first, second = make_graph({**tiny, "seeds": [3]}).jobs
    assert second.needs == {"boxes": first.id}
    folders = [tmp_path / "run" / "tiny" / "default" / "jobs" / str(job.id) for job in (first, second)]
    for job, folder in zip((first, second), folders, strict=True):
        write_text(folder / SPEC, job.model_dump_json())
        execute(folder, lambda event: None)
    before, after = map(stored_records, folders)
    assert "train_loss" not in {one["metric"] for one in after}
    clean = [
        one["value"] for records in (before, after) for one in records if is_whole(one, "retinanet_ap50")
    ]
    assert len(clean) == 2
    assert clean[0] == clean[1]
    assert any(one["facets"].get("corruption") == "contrast" for one in after)


def is_whole(record, metric):
    return record["metric"] == metric and not {"epoch", "category", "corruption"} & record["facets"].keys()
