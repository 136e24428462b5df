"""What `lsbench export` writes runs in a fresh process without lsbench, as its card says."""

import re
import subprocess
import sys

import pytest
import torch

from lsbench.cli.main import run_command
from lsbench.models.factory import create_model

#: Runs the two lines of each card beside the file, and keeps what the model gives.
READER = """
import re, sys, pathlib
sys.modules.update(dict.fromkeys({blocked!r}))
import torch
images = torch.load("images.pt")
for card in sorted(card for cards in {cards!r} for card in pathlib.Path().glob(cards)):
    lines = re.search(r"```python\\n(.*?)```", card.read_text(), re.DOTALL)[1]
    assert lines.count("\\n") == 2, lines
    names = {{}}
    exec(lines, names)
    model = names["model"]
    if card.name.endswith(".onnx.md"):
        found = torch.from_numpy(model.run(None, {{"images": images.numpy()}})[0])
    else:
        with torch.no_grad():
            found = model(images)
    torch.save(found, card.name.removesuffix(".md") + ".out")
"""


#: Name, mixer, formats; both can be fused.
MODELS = [
    ("lsnet_nano", "ls_conv", ("onnx", "pt2", "safetensors")),
    ("repghostnet_050", None, ("safetensors",)),
]


def read(folder, *cards, blocked=()):
    code = READER.format(cards=cards, blocked=blocked)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Exports of a model of lsbench and of one of timm, with weights of a file."""
    folder = tmp_path_factory.mktemp("export")
    torch.save(torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(9)), folder / "images.pt")
    for name, mixer, formats in MODELS:
        torch.manual_seed(4)
        model = create_model(name, mixer=mixer, num_classes=6, img_size=32).eval()
        for module in model.modules():
            if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.BatchNorm1d)):
                torch.nn.init.uniform_(module.weight, 0.45, 0.55)
                torch.nn.init.uniform_(module.running_var, 0.75, 1.25)
        start = folder / (mixer or name)
        torch.save(model.state_dict(), f"{start}.pth")
        with torch.no_grad():
            torch.save(model(torch.load(folder / "images.pt")), f"{start}.expected")
        for to in formats:
            words = ["export", name, f"{start}.{to}", "--checkpoint", f"{start}.pth", "--num-classes", "6"]
            words += ["--mixer", mixer] if mixer else []
            assert run_command([*words, "--img-size", "32"]) == 0
    return folder


def compare(folder, file):
    found, expected = (
        torch.load(folder / f"{file}.out"),
        torch.load(folder / f"{file.split('.')[0]}.expected"),
    )
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-4, file


def test_programs_run_without_lsbench_and_timm(folder):
    read(folder, "*.onnx.md", "*.pt2.md", blocked=("lsbench", "timm"))
    compare(folder, "ls_conv.onnx")
    compare(folder, "ls_conv.pt2")


def test_weights_of_a_timm_model_load_in_timm_alone(folder):
    read(folder, "repghostnet_050.safetensors.md", blocked=("lsbench",))
    compare(folder, "repghostnet_050.safetensors")


def test_weights_of_an_own_model_load_once_its_models_are_imported(folder):
    read(folder, "ls*.safetensors.md")
    compare(folder, "ls_conv.safetensors")
    card = (folder / "ls_conv.safetensors.md").read_text()
    assert re.search(r"^import lsbench.models, timm$", card, re.MULTILINE)
