import copy

import pytest
import torch
from torch import nn

from lsbench.core.errors import StoreError
from lsbench.engine.recipe import Recipe
from lsbench.engine.training_state import Progress, TrainingState, decay_groups
from lsbench.models.factory import create_model


def create(model=None, **settings):
    return TrainingState.create(model or nn.Linear(3, 2), Recipe(**settings), device="cpu")


def test_what_decays_is_told_by_name():
    model = create_model("lsnet_t", num_classes=4, img_size=64)
    state = create(model, weight_decay=0.025)
    decays = {
        id(parameter): group["weight_decay"]
        for group in state.optimizer.param_groups
        for parameter in group["params"]
    }
    names = {name: decays[id(parameter)] for name, parameter in model.named_parameters()}
    assert len(names) == len(decays)
    spared = {name for name, decay in names.items() if decay == 0}
    expected = {
        name
        for name, parameter in model.named_parameters()
        if parameter.ndim == 1 or name.endswith((".bias", "attention_biases"))
    }
    assert spared == expected
    assert {decay for decay in names.values() if decay} == {0.025}
    assert any(name.endswith("attention_biases") and model.get_parameter(name).ndim == 2 for name in spared)


def decay_by_name(model, recipe):
    decays = {id(p): group["weight_decay"] for group in decay_groups(model, recipe) for p in group["params"]}
    return {name: decays[id(parameter)] for name, parameter in model.named_parameters()}


def test_a_recipe_says_what_decays():
    """As in the authors' detectors: all but attention biases, of a model that itself names nothing."""
    model = nn.Module()
    model.backbone = create_model("lsnet_t", num_classes=4, img_size=64)
    found = decay_by_name(
        model, Recipe(weight_decay=0.05, decay_norms_and_biases=True, no_decay=["attention_biases"])
    )
    spared = {name for name, decay in found.items() if decay == 0}
    assert spared == {name for name in found if name.endswith("attention_biases")} != set()
    assert {decay for name, decay in found.items() if name not in spared} == {0.05}
    assert {name.rpartition(".")[2] for name in found if name not in spared} >= {"weight", "bias"}


def test_a_part_of_a_name_spares_parameters_from_decay():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    assert decay_by_name(model, Recipe(weight_decay=0.1, no_decay=["1.w"])) == {
        "0.weight": 0.1,
        "0.bias": 0.0,
        "1.weight": 0.0,
        "1.bias": 0.0,
    }


def test_what_is_read_can_be_restored():
    first, second = create(ema_decay=0.9), create(ema_decay=0.9)
    first.model(torch.ones(1, 3)).sum().backward()
    first.optimizer.step()
    first.progress = Progress(epoch=1, update=5, history=[{"loss": 1.0}], first_loss=2.0)
    second.restore(first.read(), steps=5, where="here")
    assert second.progress == first.progress
    assert torch.equal(first.model.weight, second.model.weight)
    assert torch.equal(first.ema.module.weight, second.ema.module.weight)
    assert second.optimizer.state_dict()["state"].keys() == first.optimizer.state_dict()["state"].keys()


def test_another_architecture_is_told_by_the_names_that_differ():
    with pytest.raises(StoreError) as error:
        create(nn.Sequential(nn.Linear(3, 2))).restore(create().read(), steps=1, where="s3://b/step-1.pt")
    assert str(error.value).splitlines() == [
        "s3://b/step-1.pt: the checkpoint is of another architecture than the model:",
        "  2 of its 2 weights missing (0.weight 2x3, 0.bias 2)",
        "  2 unknown to it (weight 2x3, bias 2)",
        "remove it to train anew, or put the model's code back",
    ]
    with pytest.raises(StoreError, match="weight is 2x3 instead of 2x4"):
        create(nn.Linear(4, 2)).restore(create().read(), steps=1, where="x")


def test_times_are_of_the_whole_epoch_and_then_forgotten():
    progress = Progress()
    progress.note_times(3.0, 0.5)
    progress.note_times(1.0, 0.5)
    assert progress.take_times() == {"train_s": 4.0, "data_wait_frac": 0.25}
    assert progress.take_times() == {"train_s": 0.0, "data_wait_frac": 0.0}


def test_a_fused_optimizer_goes_on_from_a_checkpoint_to_the_bit():
    def step(state):
        for parameter in state.model.parameters():
            parameter.grad = torch.full_like(parameter, 0.25)
        state.optimizer.step()

    first, second = create(fused_adamw=True), create(fused_adamw=True)
    step(first)
    second.restore(copy.deepcopy(first.read()), steps=1, where="step_1.pt")
    step(first)
    step(second)
    assert second.optimizer.param_groups[0]["fused"]
    assert all(
        torch.equal(a, b) for a, b in zip(first.model.parameters(), second.model.parameters(), strict=True)
    )
