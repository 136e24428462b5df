"""Contract of every runtime: its numbers are the model's, and what it cannot do is one line beforehand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lsbench.core.errors import ConfigError
from lsbench.core.registry import RUNTIMES
from lsbench.runtimes import Form, Prepared, Runtime, prepare

PRECISIONS = ("fp32", "bf16", "fp16", "int8")
DEVICES = ("cpu", "cuda")
#: Precision -> largest difference of a logit, as a part of the largest logit.
TOLERANCES = {"fp32": 1e-4, "bf16": 0.1, "fp16": 0.02, "int8": 0.2}


@pytest.fixture(scope="module")
def kind(name: str) -> Runtime:
    found: Runtime = RUNTIMES.load(name)
    return found


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def create_model() -> nn.Module:
    """Return a small model: convolutions, one of them by channel, a mean and a classifier."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2, groups=8), nn.GELU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)).eval()


def prepared(name: str, images: Tensor, form: Form, folder: Path) -> Prepared:
    """Return the small model in a runtime, for batches of two."""
    with torch.no_grad():
        return prepare(name, create_model(), images[:2], form, folder, calibration=images)


def test_it_declares_devices_precisions_and_its_version(name: str, kind: Runtime) -> None:
    assert kind.precisions
    assert set(kind.precisions) <= set(DEVICES)
    assert all(set(can) <= set(PRECISIONS) and "fp32" in can for can in kind.precisions.values())
    assert kind.version()
    assert bool(kind.install) == bool(kind.packages)


def test_what_it_cannot_do_is_one_line(name: str, kind: Runtime, tmp_path: Path, images: Tensor) -> None:
    for device in DEVICES:
        for precision in set(PRECISIONS) - set(kind.precisions.get(device, ())):
            with pytest.raises(ConfigError, match=rf"^(runtime|precision): {name} [^\n]+$"):
                prepare(name, create_model(), images, Form(precision, device), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_its_packages_it_says_what_to_install(
    name: str, kind: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in kind.packages:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            assert f'pip install "{kind.install}"' in (kind.problem(name) or "")


def test_its_numbers_are_the_models(name: str, kind: Runtime, tmp_path: Path, images: Tensor) -> None:
    device = next((one for one in kind.precisions if one == "cpu" or torch.cuda.is_available()), None)
    if device is None:
        assert "not on a CPU" in (kind.problem(name, device="cpu") or "")
        return
    form = Form(device=device)
    made = prepared(name, images, form, tmp_path)
    with torch.no_grad():
        expected = create_model()(images)
        found = torch.cat([made(images[:2]), made(images[2:])])
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCES["fp32"] * float(expected.abs().max()))
    assert set(made.seconds) >= {"load", "first pass"}
    assert all(seconds >= 0 for seconds in made.seconds.values())
    if not kind.runs_code:
        assert list(tmp_path.iterdir()), "write the program into the folder that is given"
        # Another process loads what this one wrote.
        torch.testing.assert_close(kind.load(tmp_path, form)(made.takes(images[:2])).float(), found[:2])
