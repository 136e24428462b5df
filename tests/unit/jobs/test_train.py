import json
import random

import pytest
import torch

from lsbench.core.atomic import write_text
from lsbench.core.registry import JOBS
from lsbench.engine import evaluator
from lsbench.engine.recipe import Recipe
from lsbench.engine.trainer import Trainer
from lsbench.engine.weights import EMA, WEIGHTS, load
from lsbench.models.weights_digest import weights_sha256
from lsbench.scheduler.child import execute
from lsbench.store.results import RESULT, SPEC

TRAIN = JOBS.load("train")


def test_its_settings_are_the_recipe_and_where_things_lie_changes_no_result():
    assert TRAIN.spec is Recipe
    for name in ("data_workers", "checkpoint_url", "checkpoint_minutes", "recipe", "loggers"):
        assert name in TRAIN.spec.runtime_fields
    assert TRAIN.per_seed
    assert TRAIN.uses_data


def test_a_step_costs_three_forward_passes():
    images = {"train": 100, "val": 7}.get
    assert TRAIN.cost(Recipe(epochs=4), 2e6, images) == pytest.approx(3 * 2e6 * 4 * 100)


STEPS = 2 * 6  # epochs of 6 updates


@pytest.fixture
def prepare(tiny, make_graph, tmp_path):
    """Write the job of the whole recipe into a folder of its own."""
    tiny["variants"] = [{"name": "ls", "mixer": "ls_conv"}]
    tiny["defaults"]["dataset"] |= {"train_images": 60, "img_size": 16}
    recipe = {
        "mixup": 0.8,
        "cutmix": 1.0,
        "repeats": 3,
        "ema_decay": 0.9,
        "clip": {"mode": "agc", "value": 0.02},
    }
    settings = {"epochs": 2, "batch_size": 10, "augment": {"flip": 0.5, "crop_padding": 2}}
    tiny["jobs"] = [{"train": {**settings, **recipe, "checkpoint_minutes": 0}}]
    job = make_graph({**tiny, "seeds": [3]}).jobs[0]

    def write(name, **settings):
        folder = tmp_path / name / "tiny" / "default" / "jobs" / str(job.id)
        changed = job.model_copy(update={"spec": {**job.spec, **settings}})
        write_text(folder / SPEC, changed.model_dump_json())
        return folder

    return write


class StopError(Exception):
    """The process dies."""


@pytest.mark.parametrize("stops", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_stopped_at_random_updates_it_ends_with_the_same_weights_and_records(prepare, monkeypatch, stops):
    unbroken = prepare("unbroken")
    execute(unbroken, lambda event: None)
    expected = {name: load(unbroken / name) for name in (WEIGHTS, EMA)}
    made = []
    update = Trainer._update
    for number, stop_at in enumerate(random.Random(20261126).sample(range(1, STEPS), stops)):
        broken = prepare(f"broken{number}")

        def dying(trainer, batches, clock, stop_at=stop_at):
            if trainer.progress.update == stop_at:
                raise StopError
            made.append(trainer.progress.update)
            return update(trainer, batches, clock)

        monkeypatch.setattr(Trainer, "_update", dying)
        with pytest.raises(StopError):
            execute(broken, lambda event: None)
        monkeypatch.setattr(Trainer, "_update", update)
        execute(broken, lambda event: None)
        for name, weights in expected.items():
            assert weights_sha256(load(broken / name)) == weights_sha256(weights), stop_at
        assert records(broken) == records(unbroken)
    assert made, "the trainings did begin"


def records(folder):
    found = json.loads((folder / RESULT).read_text())["records"]
    return [record for record in found if record["metric"] != "data_wait_frac"]  # a timing


def test_filling_new_memory_with_nan_changes_no_bit_of_a_training(prepare, monkeypatch):
    plain, filled = prepare("plain"), prepare("filled")
    execute(plain, lambda event: None)
    run, deterministic = Trainer.run, torch.utils.deterministic

    def filling(trainer, *args):
        assert torch.are_deterministic_algorithms_enabled()
        assert not deterministic.fill_uninitialized_memory
        deterministic.fill_uninitialized_memory = True
        return run(trainer, *args)

    monkeypatch.setattr(Trainer, "run", filling)
    execute(filled, lambda event: None)
    for name in (WEIGHTS, EMA):
        assert weights_sha256(load(filled / name)) == weights_sha256(load(plain / name))
    assert records(filled) == records(plain)


@pytest.fixture
def batches_of(prepare, monkeypatch):
    """Run a job and return the images of each batch that it trained on, and validated on."""

    def batches_of(name, **settings):
        sizes = {True: [], False: []}
        evaluate = evaluator.evaluate

        def watched(model, batches, *args, **options):
            batches = list(batches)
            sizes[False] += [len(labels) for _, labels in batches]
            return evaluate(model, batches, *args, **options)

        loss = Trainer._loss

        def counted(trainer, batch, chunk):
            sizes[True].append(trainer.task.count(batch))
            return loss(trainer, batch, chunk)

        monkeypatch.setattr(Trainer, "_loss", counted)
        monkeypatch.setattr(evaluator, "evaluate", watched)
        execute(prepare(name, **settings), lambda event: None)
        return sizes[True], sizes[False]

    return batches_of


def test_a_device_validates_in_batches_of_the_size_that_it_trains_on(batches_of):
    trained, validated = batches_of("chunks", device_batch_size=2)
    assert max(trained) == max(validated) == 2
    assert sum(validated) == 2 * 2 * 20, "both models, after both epochs, on all images"


def test_every_epoch_has_records_and_the_best_is_named(prepare):
    folder = prepare("job")
    execute(folder, lambda event: None)
    found = json.loads((folder / RESULT).read_text())["records"]
    assert {record["facets"].get("epoch") for record in found} == {None, 1, 2}
    of_epochs = {
        (record["metric"], record["setting"]["epoch"]): record["value"]
        for record in found
        if "epoch" in record["facets"]
    }
    assert {metric for metric, _ in of_epochs} == {
        *("train_loss", "val_top1", "ema_val_top1", "lr", "data_wait_frac")
    }
    whole = {record["metric"]: record for record in found if "epoch" not in record["facets"]}
    assert whole["val_top1"]["value"] == of_epochs["val_top1", 2]
    assert whole["best_val_top1"]["value"] == max(of_epochs["val_top1", epoch] for epoch in (1, 2))
    assert json.loads((folder / "history.json").read_text())["of_epochs"] == 2


def test_loggers_are_shown_every_epoch_and_change_no_weight(prepare):
    plain = prepare("plain")
    execute(plain, lambda event: None)
    logged = prepare("logged", loggers=["tensorboard"])
    execute(logged, lambda event: None)
    assert weights_sha256(load(logged / WEIGHTS)) == weights_sha256(load(plain / WEIGHTS))
    [events] = (logged / "tensorboard").iterdir()
    content = events.read_bytes()
    assert content.count(b"train_loss") == content.count(b"val_top1") - content.count(b"ema_val_top1") == 2
    assert not (plain / "tensorboard").exists()
