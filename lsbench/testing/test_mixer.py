"""Contract of every token mixer: it keeps the map's shape, learns, and treats images independently."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from lsbench.detection.settings import Task, parse_sizes
from lsbench.models.downstream.factory import create_downstream
from lsbench.models.factory import create_model
from lsbench.models.token_mixer import create_mixer

DIM = 32
SIZES = [(8, 8), (7, 5), (1, 1)]
Size = tuple[int, int]
#: Sizes of small detectors and segmenters.
SMALL_HEADS: dict[str, dict[str, Any]] = {
    "retinanet": {"channels": 16, "convs": 1, "extra_levels": 0, "anchor_scale": 3.0},
    "maskrcnn": {
        "channels": 16,
        "box_channels": 32,
        "mask_convs": 1,
        "proposals_in_training": 50,
        "sampled_proposals": 16,
    },
    "semantic_fpn": {"channels": 16, "head_channels": 16},
}

sizes = pytest.mark.parametrize("size", SIZES, ids=str)


def build(name: str) -> nn.Module:
    """Return the mixer with batch norm statistics other than 0 and 1, to make evaluation mode matter."""
    torch.manual_seed(0)
    module = create_mixer(name, DIM)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.get_buffer("running_mean"), -0.2, 0.2)
            nn.init.uniform_(layer.get_buffer("running_var"), 0.5, 1.5)
    return module


def images(size: Size, batch: int = 3) -> Tensor:
    """Return random maps, the same for each call."""
    return torch.randn(batch, DIM, *size, generator=torch.Generator().manual_seed(1))


@sizes
def test_shape_and_dtype_are_kept(name: str, size: Size) -> None:
    module, x = build(name), images(size)
    assert module.train()(x).shape == x.shape
    with torch.no_grad():
        y = module.eval()(x)
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    assert y.isfinite().all()


@pytest.mark.parametrize("size", SIZES[:2], ids=str)
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_gradient_reaches_input_and_every_parameter(name: str, size: Size, training: bool) -> None:
    module, x = build(name).train(training), images(size).requires_grad_()
    weigh = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    (module(x) * weigh).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert x.grad.any()
    dead = [key for key, p in module.named_parameters() if p.grad is None or not p.grad.any()]
    assert dead == []


@sizes
def test_evaluation_is_deterministic_and_images_are_independent(name: str, size: Size) -> None:
    module, x = build(name).eval(), images(size)
    with torch.no_grad():
        together = module(x)
        assert torch.equal(module(x), together)
        alone = torch.cat([module(image[None]) for image in x])
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)


def test_channels_last_gives_the_same(name: str) -> None:
    module, x = build(name).eval(), images((6, 5))
    with torch.no_grad():
        expected = module(x)
        found = module.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_weights_survive_saving_and_loading(name: str) -> None:
    module, x = build(name).eval(), images((4, 4))
    other = create_mixer(name, DIM).eval()
    other.load_state_dict(module.state_dict())
    with torch.no_grad():
        assert torch.equal(other(x), module(x))


def test_a_schedule_ends_in_what_is_evaluated(name: str) -> None:
    module, x = build(name).eval(), images((4, 4))
    steps = [step for part in module.modules() if callable(step := getattr(part, "set_epoch", None))]
    with torch.no_grad():
        expected, state = module(x), {key: value.clone() for key, value in module.state_dict().items()}
        for epoch in (0.0, 1.5, 30.0):
            for step in steps:
                step(epoch, 30.0)
        assert torch.equal(module(x), expected)
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())


def test_a_network_with_it_learns_a_batch_by_heart(name: str) -> None:
    torch.manual_seed(0)
    model = create_model("lsnet_nano", mixer=name, num_classes=4, img_size=32).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    x, targets = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(1)), torch.arange(8) % 4
    losses = []
    for _ in range(8):
        loss = nn.functional.cross_entropy(model(x), targets)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("task", SMALL_HEADS)
def test_detectors_and_segmenters_learn_through_it(name: str, task: str) -> None:
    torch.manual_seed(0)
    sizes = parse_sizes(cast("Task", task), SMALL_HEADS[task])
    model = create_downstream(
        task, "lsnet_nano", num_classes=2, mixer=name, stem_stride=8, settings=sizes
    ).train()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.ones_(layer.weight)  # blocks begin without what they add, and would hide the mixer
    masks = torch.zeros(1, 64, 96, dtype=torch.bool)
    masks[:, 10:50, 20:70] = True
    one = {"boxes": torch.tensor([[20.0, 10, 70, 50]]), "labels": torch.tensor([1]), "masks": masks}
    targets = masks.long() if task == "semantic_fpn" else [one]
    x = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    losses = model.losses(x, targets)
    assert all(loss.isfinite() for loss in losses.values()), losses
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    grads = {key: parameter.grad for key, parameter in model.named_parameters()}
    assert [key for key, grad in grads.items() if grad is None or not grad.isfinite().all()] == []
    of_mixers = [grad for key, grad in grads.items() if ".mixer." in key and grad is not None]
    assert not of_mixers or any(grad.any() for grad in of_mixers)
