"""Real jobs, tiny: what they leave on disk, that they repeat exactly, and that they resume exactly."""

import errno
import shutil
import sys
import threading
import time
from dataclasses import replace

import fsspec
import numpy as np
import pytest
import torch

from lsbench.core.errors import ConfigError, DiskFullError, StoreError
from lsbench.core.job import BuiltOn, Job, OtherSize, Variant
from lsbench.core.lock import locked
from lsbench.core.plugin_code import files_hash
from lsbench.core.registry import JOBS, PROBES
from lsbench.detection.settings import parse_sizes
from lsbench.engine.weights import WEIGHTS, load
from lsbench.jobs.train import JOB as TRAIN
from lsbench.models.downstream.factory import create_downstream
from lsbench.models.factory import create_model
from lsbench.models.weights_digest import weights_sha256
from lsbench.scheduler.child import act, check_models, describe, execute, noting_epochs
from lsbench.store.early import EARLY
from lsbench.store.trials import read_epochs
from lsbench.suite.models import models_of
from lsbench.suite.parsed import parsed_once
from lsbench.suite.splits import DataUse

from .finished_jobs import early, prepare, result, untimed

KINDS = ("train", "evaluate", "profile")


@pytest.fixture
def graph(tiny, make_graph):
    tiny["variants"] = tiny["variants"][:1]
    tiny["jobs"][0]["train"]["epochs"] = 2
    return make_graph({**tiny, "seeds": [0]})


@pytest.fixture
def execute_all(graph, tmp_path):
    """Run every job of the graph under a root of its own; return folder and events by kind."""

    def run(name, emit=None):
        folders, events = {}, []
        for job in graph.jobs:
            folders[job.kind] = prepare(job, tmp_path / name)
            execute(folders[job.kind], emit or events.append)
        return folders, events

    return run


def test_the_folder_of_a_job_begins_with_its_settings(graph, tmp_path):
    [job] = [job for job in graph.jobs if job.kind == "profile"]
    folder, events = tmp_path / "jobs" / job.id, []
    request = {"action": "job", "folder": str(folder), "spec": job.model_dump_json()}
    assert act(request, events.append) == 0
    assert (folder / "spec.json").read_text() == job.model_dump_json()
    assert result(folder)["job"]["job_id"] == job.id


def test_no_room_for_the_folder_of_a_job_is_its_end(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.mkdir", fail)
    events = []
    assert act({"action": "job", "folder": str(tmp_path / "jobs/a"), "spec": "{}"}, events.append) == 1
    assert [event["error_class"] for event in events] == ["disk_full"]


def test_real_jobs_leave_records_artifacts_and_the_same_weights_twice(execute_all, graph):
    (first, events), (second, _) = execute_all("first"), execute_all("second")
    metrics = {kind: [r["metric"] for r in result(first[kind])["records"]] for kind in KINDS}
    assert metrics == {
        "train": [
            *("train_loss", "val_top1", "best_val_top1"),
            *("train_loss", "val_top1", "lr", "data_wait_frac") * 2,
        ],
        "evaluate": ["top1", "top5"],
        "profile": ["params", "params_fused", "macs", "macs_paper", "uncounted_ops"],
    }
    plain = sorted(path.name for path in first["profile"].iterdir() if path.suffix != ".npz")
    assert plain == ["result.json", "spec.json"], "beside its artifacts; a real process adds log.txt"
    for kind in KINDS:
        line = result(first[kind])["job"]
        assert (line["status"], line["kind"], line["error"]) == ("ok", kind, None)
        assert line["provenance"]["device"] == "cpu"
        assert all(record["job_id"] == line["job_id"] for record in result(first[kind])["records"])
        assert all(record["value"] is not None for record in result(first[kind])["records"])

    weights = [load(folders["train"] / WEIGHTS) for folders in (first, second)]
    assert weights_sha256(weights[0]) == weights_sha256(weights[1])
    assert result(first["train"])["records"][0]["setting"]["weights_sha256"] == weights_sha256(weights[0])
    predictions = [dict(np.load(folders["evaluate"] / "predictions.npz")) for folders in (first, second)]
    assert predictions[0].keys() >= {"targets", "predictions", "images_sha256", "score_top1", "score_top5"}
    assert predictions[0].keys() >= {"classes", "best", "confidence", "names"}
    for key, values in predictions[0].items():
        assert np.array_equal(values, predictions[1][key])
    assert len(predictions[0]["targets"]) == 20
    top1 = next(r for r in result(first["evaluate"])["records"] if r["metric"] == "top1")
    assert top1["value"] == np.mean(predictions[0]["targets"] == predictions[0]["predictions"])
    assert (top1["n"], top1["dataset"]) == (20, "fashion")
    assert [event["epoch"] for event in events if event["ev"] == "epoch"] == [1, 2]


def test_figures_that_are_known_before_a_job_fails_are_kept_and_go_when_it_ends(graph, tmp_path, monkeypatch):
    profile = next(job for job in graph.jobs if job.kind == "profile")
    folder = prepare(profile, tmp_path)
    (folder / EARLY).write_text("of an attempt before")
    macs = PROBES.load("macs")

    def fail(*args):
        assert [record["metric"] for record in early(folder)["records"]] == ["params", "params_fused"]
        raise StopError

    monkeypatch.setattr("lsbench.probes.macs.PROBE", fail)
    with pytest.raises(StopError):
        execute(folder, lambda event: None)
    kept = early(folder)
    assert kept["job"]["job_id"] == kept["records"][0]["job_id"] == profile.id
    assert kept["job"]["setting"]["probes"] == ["params", "macs"]
    monkeypatch.setattr("lsbench.probes.macs.PROBE", macs)
    execute(folder, lambda event: None)
    assert result(folder)["records"][0] == kept["records"][0]
    assert not (folder / EARLY).exists()


class StopError(Exception):
    """Stands for the death of a process right after an epoch was saved."""


@pytest.mark.parametrize("stop_after", [1, 2])
def test_a_training_that_was_stopped_ends_with_the_weights_and_records_of_an_unbroken_one(
    stop_after, graph, tmp_path
):
    train = next(job for job in graph.jobs if job.kind == "train")
    unbroken, broken = (prepare(train, tmp_path / name) for name in ("unbroken", "broken"))
    execute(unbroken, lambda event: None)

    def stop(event):
        if event["ev"] == "epoch" and event["epoch"] == stop_after:
            raise StopError

    with pytest.raises(StopError):
        execute(broken, stop)
    assert not (broken / "result.json").exists()
    epochs = []
    execute(broken, lambda event: epochs.append(event["epoch"]) if event["ev"] == "epoch" else None)
    assert epochs == list(range(stop_after + 1, 3)), "finished epochs are not trained again"
    expected, found = load(unbroken / WEIGHTS), load(broken / WEIGHTS)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert untimed(broken) == untimed(unbroken)


def test_a_damaged_checkpoint_alone_is_an_error_that_names_it(graph, tmp_path):
    train = next(job for job in graph.jobs if job.kind == "train")
    folder = prepare(train, tmp_path / "damaged")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.pt").write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(StoreError, match=r"all checkpoints are damaged \(last.pt\).*remove them to train"):
        execute(folder, lambda event: None)
    assert (folder / "checkpoints" / "last.pt").exists()
    (folder / "checkpoints" / "last.pt").unlink()
    execute(folder, lambda event: None)
    assert (folder / "result.json").exists()


def test_a_finished_job_is_not_run_again(graph, tmp_path):
    folder = prepare(graph.jobs[0], tmp_path)
    (folder / "result.json").write_text("{}")
    events = []
    execute(folder, events.append)
    assert events == []
    assert (folder / "result.json").read_text() == "{}"
    assert not (folder / ".lock").exists()


def test_whoever_waited_for_the_lock_of_a_job_that_ends_finds_its_result(graph, tmp_path, monkeypatch):
    """The lock goes with the job: nobody runs the job again, with the old lock or a new one."""
    folder, runs, waits = prepare(graph.jobs[0], tmp_path), [], threading.Event()
    pause = time.sleep
    monkeypatch.setattr("lsbench.core.lock.time.sleep", lambda seconds: waits.set() or pause(seconds))
    second = threading.Thread(target=execute, args=(folder, lambda event: None))

    def run(context):
        runs.append(context.job.id)
        if len(runs) == 1:
            second.start()
            assert waits.wait(30)
        return []

    monkeypatch.setattr("lsbench.jobs.train.JOB", replace(TRAIN, run=run))
    (folder / ".result.json.abcd_123").touch()  # a killed attempt wrote half of it
    execute(folder, lambda event: None)
    second.join(30)
    execute(folder, lambda event: None)
    assert runs == [graph.jobs[0].id]
    assert sorted(path.name for path in folder.iterdir()) == ["result.json", "spec.json"]


def test_a_job_that_another_process_holds_is_refused(graph, tmp_path, monkeypatch):
    monkeypatch.setattr("lsbench.scheduler.child.LOCK_WAIT_S", 0.0)
    folder = prepare(graph.jobs[0], tmp_path)
    events = []
    with locked(folder / ".lock", what="it"):
        assert act({"action": "job", "folder": str(folder)}, events.append) == 1
    assert events[-1]["error_class"] == "StoreError"
    assert "in use by process" in events[-1]["message"]


def test_a_failing_job_tells_class_and_message_and_leaves_no_result(graph, tmp_path, capfd):
    evaluate = next(job for job in graph.jobs if job.kind == "evaluate")
    folder = prepare(evaluate, tmp_path)
    events = []
    assert act({"action": "job", "folder": str(folder)}, events.append) == 1
    assert events[-1]["ev"] == "error"
    assert events[-1]["error_class"] == "StoreError"
    assert "no weights in" in events[-1]["message"]
    assert not (folder / "result.json").exists()
    assert "Traceback" in capfd.readouterr().err


class Gone(BaseException):
    """No error at all, says Python."""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (SystemExit(0), "its code called sys.exit(0)"),
        (SystemExit("enough"), "its code called sys.exit('enough')"),
        (Gone("away"), "away"),
    ],
)
def test_a_job_that_leaves_has_failed_like_any_other(error, message, graph, tmp_path, monkeypatch):
    def leave(context):
        raise error

    monkeypatch.setattr("lsbench.jobs.train.JOB", replace(TRAIN, run=leave))
    events = []
    folder = prepare(graph.jobs[0], tmp_path)
    assert act({"action": "job", "folder": str(folder)}, events.append) == 1
    assert events == [{"ev": "error", "error_class": type(error).__name__, "message": message}]
    assert not (folder / "result.json").exists()


def test_an_interrupt_by_the_user_ends_more_than_the_job(graph, tmp_path, monkeypatch):
    def interrupt(context):
        raise KeyboardInterrupt

    monkeypatch.setattr("lsbench.jobs.train.JOB", replace(TRAIN, run=interrupt))
    with pytest.raises(KeyboardInterrupt):
        act({"action": "job", "folder": str(prepare(graph.jobs[0], tmp_path))}, print)


def test_a_diverging_training_says_what_to_do(graph, tmp_path):
    train = next(job for job in graph.jobs if job.kind == "train")
    wild = Job.model_validate(
        {**train.model_dump(), "spec": {**train.spec, "lr": 1e30, "warmup_epochs": 0.0}}
    )
    events = []
    assert act({"action": "job", "folder": str(prepare(wild, tmp_path))}, events.append) == 1
    assert events[-1]["error_class"] == "diverged"
    assert "lower `lr`" in events[-1]["message"]


@pytest.mark.parametrize("seed", [42_950, 2**40])
def test_a_large_seed_is_a_seed_like_any_other(seed, graph, tmp_path):
    train = next(job for job in graph.jobs if job.kind == "train")
    job = Job.model_validate({**train.model_dump(), "seed": seed, "limit": 1})
    folder = prepare(job, tmp_path)
    execute(folder, lambda event: None)
    assert (folder / "result.json").exists()
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("kind", "share", "error_class", "words"),
    [
        ("train", 1.0, "device_oom", "lower `device_batch_size`, or take a larger device"),
        ("evaluate", 0.5, "share_oom", "share of 0.5 of the device's memory ran out; give it more by"),
    ],
)
def test_memory_of_a_device_that_runs_out_says_which_setting_to_lower(
    kind, share, error_class, words, graph, tmp_path, monkeypatch
):
    def run_out(context):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 84 GiB")

    job = next(job for job in graph.jobs if job.kind == kind)
    monkeypatch.setattr(f"lsbench.jobs.{kind}.JOB", replace(JOBS.load(kind), run=run_out))
    request = {"action": "job", "folder": str(prepare(job, tmp_path)), "gpu_share": share}
    events = []
    assert act(request, events.append) == 1
    assert events[-1]["error_class"] == error_class
    assert words in events[-1]["message"]
    assert ("`batch_size`" in events[-1]["message"]) is (kind == "evaluate")


def test_a_job_that_was_given_a_gpu_and_sees_none_is_not_run_on_the_cpu(graph, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    train = next(job for job in graph.jobs if job.kind == "train")
    given = train.model_copy(update={"resources": train.resources.model_copy(update={"num_gpus": 1.0})})
    events, folder = [], prepare(given, tmp_path)
    assert act({"action": "job", "folder": str(folder)}, events.append) == 1
    assert events[-1]["error_class"] == "device_lost"
    assert not (folder / "result.json").exists()


def test_errors_are_described_in_one_line():
    assert describe(MemoryError("no more")) == {"error_class": "oom", "message": "no more"}
    assert describe(ValueError("first\nsecond")) == {"error_class": "ValueError", "message": "first"}
    assert describe(DiskFullError("no room")) == {"error_class": "disk_full", "message": "no room"}
    assert describe(KeyError()) == {"error_class": "KeyError", "message": ""}


def test_models_are_checked_once_each_with_one_line_per_problem():
    dataset = {"name": "fashion", "img_size": 32}

    def variant(name, **settings):
        return Variant(name=name, **{"model": "lsnet_nano", "dataset": dataset, **settings})

    good = [variant("a", mixer="ls_conv"), variant("b", mixer="ls_conv"), variant("c", model="resnet18")]
    assert check_models(good) == []
    bad = [
        variant("option", mixer="ls_conv", mixer_args={"kernel_lage": 5}),
        variant("twin", mixer="ls_conv", mixer_args={"kernel_lage": 5}),
        variant("even", mixer="ls_conv", mixer_args={"kernel_large": 4}),
        variant("fixed", model="resnet18", mixer="ls_conv"),
    ]
    problems = check_models([*good, *bad])
    assert len(problems) == 3
    assert [problem.split("'")[1] for problem in problems] == ["option", "even", "fixed"]
    events = []
    request = {"action": "preflight", "variants": [v.model_dump(mode="json") for v in bad]}
    assert act(request, events.append) == 0
    assert events == [{"ev": "preflight", "problems": problems}]


def test_a_model_that_cannot_take_the_size_of_a_job_is_found_before_any():
    def shown(model, size):
        return OtherSize(name="v", model=model, dataset={"name": "fashion", "img_size": 32}, shown=size)

    events = []
    sent = [one.model_dump(mode="json") for one in (shown("resnet18", 64), shown("vit_tiny_patch16_224", 48))]
    assert act({"action": "preflight", "variants": sent}, events.append) == 0
    [line] = events[0]["problems"]
    told = "model 'vit_tiny_patch16_224' built for images of 32 px takes none of 48 px, which a job shows"
    assert line.startswith(f"variant 'v': {told}")


@pytest.mark.parametrize("is_address", [False, True])
def test_a_file_without_the_average_that_a_job_tests_is_found_before_any(
    tiny, make_graph, tmp_path, monkeypatch, is_address
):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    place = "memory://models/raw.pth" if is_address else str(tmp_path / "raw.pth")
    with fsspec.open(place, "wb") as file:
        torch.save({"model": create_model("lsnet_nano", num_classes=10, img_size=32).state_dict()}, file)
    tiny["variants"] = [{"name": "row", "mixer": "ls_conv", "model_args": {"checkpoint": place}}]
    tiny |= {"baseline": None, "seeds": [0]}

    def problems(which):
        jobs = make_graph({**tiny, "jobs": [{"evaluate": {"weights": which}}]}).jobs
        return check_models(models_of(parsed_once(jobs)))

    assert problems("pretrained") == []
    told = "it holds only those as trained, not a moving average; leave checkpoint_weights out"
    assert problems("ema") == [f"variant 'row': checkpoint '{place}' does not fit model 'lsnet_nano': {told}"]


def test_a_mixer_that_leaves_the_process_is_a_problem_of_its_variant(monkeypatch):
    monkeypatch.setattr("lsbench.models.factory.create_model", lambda *args, **options: sys.exit(5))
    variant = Variant(name="v", model="lsnet_nano", dataset={"name": "fashion", "img_size": 32})
    assert check_models([variant]) == ["variant 'v': does not work: SystemExit: its code called sys.exit(5)"]


def test_a_mixer_that_breaks_the_shape_is_found_before_any_job(monkeypatch):
    from torch import nn

    from lsbench.core.registry import Registry

    monkeypatch.setattr(Registry, "load", broken_mixer(Registry.load, lambda dim: nn.Conv2d(dim, dim + 8, 1)))
    dataset = {"name": "fashion", "img_size": 32}
    variant = Variant(name="broken", model="lsnet_nano", mixer="identity", dataset=dataset)
    problems = check_models([variant])
    assert len(problems) == 1
    assert problems[0].startswith("variant 'broken': does not work: RuntimeError")


def broken_mixer(load, mixer):
    """Return a registry's load that gives `mixer` for the name ``identity``."""
    return lambda self, name: mixer if (self.kind, name) == ("mixer", "identity") else load(self, name)


def test_a_trial_notes_its_epochs_before_it_tells_them(tmp_path):
    told = []

    def emit(event):
        told.append((event["ev"], len(read_epochs(tmp_path))))

    note = noting_epochs(tmp_path, emit)
    for event in ({"ev": "step"}, {"ev": "epoch", "epoch": 1}, {"ev": "epoch", "epoch": 2}):
        note(event)
    assert told == [("step", 0), ("epoch", 1), ("epoch", 2)]


def test_a_result_holds_the_hash_of_the_code_that_made_it(graph, tmp_path):
    job = next(job for job in graph.jobs if job.kind == "profile")
    folder = prepare(job, tmp_path)
    execute(folder, lambda event: None)
    expected = {plugin: files_hash(files) for plugin, files in job.code.items()}
    assert result(folder)["job"]["code"] == expected
    assert {"job kind profile", "mixer ls_conv", "probe params"} <= set(expected)


def test_other_code_than_the_run_began_with_is_an_error_of_one_line(graph, tmp_path):
    job = next(job for job in graph.jobs if job.kind == "profile")
    code = {**job.code, "probe params": {"lsbench/probes/params.py": "0" * 16}}
    folder = prepare(job.model_copy(update={"code": code}), tmp_path)
    line = r"^probe params: lsbench/probes/params\.py on .* is other code than the run began with: .*$"
    with pytest.raises(ConfigError, match=line):
        execute(folder, lambda event: None)
    assert not (folder / "result.json").exists()


def test_a_model_that_gives_anything_but_logits_is_found_first(monkeypatch):
    class Lists(torch.nn.Module):
        def forward(self, x):
            return [x]

    variant = Variant(name="v", model="lsnet_nano", dataset={"name": "fashion", "img_size": 32})
    monkeypatch.setattr("lsbench.models.factory.create_model", lambda *_, **__: Lists())
    [problem] = check_models([variant])
    assert problem == "variant 'v': expected logits of shape (1, 10) for one image, found an object of list"
    monkeypatch.setattr("lsbench.models.factory.create_model", lambda *_, **__: torch.nn.Flatten())
    [problem] = check_models([variant.model_copy(update={"model_args": {"a": 1}})])
    assert problem.endswith("found shape (1, 3072)")


def test_detectors_on_backbones_are_checked_with_the_models():
    data = {"name": "fashion", "img_size": 32}
    usual = {"dataset": data, "built_as": "retinanet", "sizes": {"channels": 16, "convs": 1}}
    good = BuiltOn(name="good", model="lsnet_nano", model_args={"stem_stride": 8}, **usual)
    few = BuiltOn(name="few", model="lsnet_nano", model_args={"stem_stride": 2}, **usual)
    events = []
    act({"action": "preflight", "variants": [v.model_dump(mode="json") for v in (good, few)]}, events.append)
    [found] = events
    [problem] = found["problems"]
    assert problem.startswith("variant 'few': model 'lsnet_nano': detectors and segmenters need four maps")


def test_weights_that_do_not_fit_are_found_with_the_models(tmp_path):
    settings = parse_sizes("retinanet", sizes := {"channels": 16, "convs": 1})
    how = {"model_args": {"stem_stride": 8}, "built_as": "retinanet", "sizes": sizes}
    path = str(tmp_path / "all.pth")
    for classes in (5, 3):
        whole = create_downstream(
            "retinanet", "lsnet_nano", num_classes=classes, settings=settings, stem_stride=8
        )
        torch.save(whole.state_dict(), path)
        data = {"name": "fashion_coco", "img_size": 64}
        one = BuiltOn(name="v", model="lsnet_nano", dataset=data, checkpoint=path, num_classes=5, **how)
        found = check_models([one])
        assert len(found) == (classes != 5)
    assert found[0].startswith(f"variant 'v': checkpoint '{path}' does not fit retinanet")
    assert found[0].endswith("its head has 3 classes instead of 5")


def test_data_is_looked_at_with_the_models(tmp_path):
    data = DataUse(label="v/boxes", settings={"name": "coco_json", "root": str(tmp_path)}, splits=("test",))
    events = []
    act({"action": "preflight", "variants": [], "data": [data.model_dump(mode="json")]}, events.append)
    [found] = events
    assert found["problems"][0].startswith("v/boxes: expected annotations in ")


def test_a_backbone_for_images_of_one_size_is_no_backbone_of_a_detector():
    usual = {"dataset": {"name": "fashion", "img_size": 32}, "built_as": "semantic_fpn", "sizes": {}}
    name = "swin_tiny_patch4_window7_224"
    fixed = BuiltOn(name="fixed", model=name, **usual)
    free = BuiltOn(name="free", model=name, model_args={"strict_img_size": False}, **usual)
    [problem] = check_models([fixed, free])
    assert problem.startswith(
        f"variant 'fixed': model '{name}': detectors and segmenters have images of any size, and it does not"
    )
    assert "\n" not in problem


def test_published_numbers_make_no_other_model():
    row = {"model": "lsnet_nano", "dataset": {"name": "fashion", "img_size": 32}, "mixer": "nonsense"}
    logged = Variant(name="logged", published={"top1": 0.5}, published_logs={"top1": 0.4}, **row)
    assert len(check_models([Variant(name="plain", **row), logged])) == 1
