"""Contract of every model: known by name without an import, built by timm, and trainable."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import timm
import torch
from torch import nn

from lsbench.core.catalog import unknown_model
from lsbench.models.factory import create_model


def build(name: str) -> tuple[nn.Module, int]:
    """Return the model with seven classes, and its native image size."""
    problem = unknown_model(name)
    assert problem is None, problem
    torch.manual_seed(0)
    model = create_model(name, num_classes=7, img_size=32)
    cfg: Any = timm.get_pretrained_cfg(name)
    size = int(cfg.input_size[-1]) if cfg is not None else 224
    return create_model(name, num_classes=7, img_size=size) if size != 32 else model, size


def test_its_name_is_known_without_importing_it(name: str) -> None:
    code = (
        "import sys; from lsbench.core.catalog import unknown_model\n"
        f"assert unknown_model({name!r}) is None, unknown_model({name!r})\n"
        "print(*({'torch', 'timm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_it_gives_one_value_for_each_class_and_images_are_independent(name: str) -> None:
    model, size = build(name)
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        together = model.eval()(images)
        alone = torch.cat([model(image[None]) for image in images])
    assert together.shape == (2, 7)
    assert together.isfinite().all()
    torch.testing.assert_close(alone, together, rtol=1e-3, atol=1e-4)


def test_gradient_reaches_every_parameter(name: str) -> None:
    model, size = build(name)
    model.train()(torch.randn(2, 3, size, size)).square().sum().backward()
    dead = [key for key, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert dead == []


def test_weights_survive_saving_and_loading(name: str) -> None:
    model, size = build(name)
    other, _ = build(name)
    other.load_state_dict(model.state_dict())
    x = torch.randn(1, 3, size, size)
    with torch.no_grad():
        assert torch.equal(other.eval()(x), model.eval()(x))
