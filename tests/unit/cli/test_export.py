import io
import json

import pytest
import torch

from lsbench.cli import export as verb
from lsbench.export import formats, programs

SMALL = ["resnet18", "--img-size", "32", "--num-classes", "4"]


@pytest.fixture
def export(call, results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *words: call("export", *words, "--results", results)


def test_a_training_is_written_checked_and_described(export, trained, tmp_path):
    code, out, err = export("ls/train/seed0", "ls.pt2")
    assert code == 0
    assert out.splitlines()[0].startswith(
        "lsnet_nano, ls_conv: weights are the last weights of the training ls/"
    )
    assert "checked: loaded in torch " in out
    assert err == "ls.pt2: written (pt2)\nls.pt2.md: written (model card)\n"
    images = torch.randn(1, 3, 32, 32)
    found = torch.export.load(io.BytesIO((tmp_path / "ls.pt2").read_bytes())).module()(images)
    torch.testing.assert_close(found, trained.model(images), rtol=1e-4, atol=1e-5)
    card = (tmp_path / "ls.pt2.md").read_text()
    assert f"- Job: ls/train/seed0, `{trained.job.id}`, of the suite tiny (default); done" in card
    assert "- Seed: 0" in card
    assert "epochs 1, batch_size 20" in card
    assert r"| top-1 (%): 50.00, n=20 | test\|n=20\|v1 | fashion | ls/evaluate/seed0 |" in card
    assert "ls/profile" not in card


def test_a_script_gets_one_line(export, tmp_path):
    code, out, _ = export(*SMALL, "r.safetensors", "--json")
    told = json.loads(out)
    assert (code, told["to"], told["fused"]) == (0, "safetensors", False)
    assert told["check"]["difference"] == 0
    assert told["bytes"] == (tmp_path / "r.safetensors").stat().st_size


def test_other_names_need_the_format(export, tmp_path):
    assert export(*SMALL, "weights.bin", "--to", "safetensors")[0] == 0
    assert (tmp_path / "weights.bin.md").exists()


def test_a_device_gets_the_model_and_no_card(export, tmp_path):
    assert export(*SMALL, "/dev/null", "--to", "safetensors")[0] == 0
    assert not list(tmp_path.glob("*.md"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["resnet18", "a.bin"],
            "FILE a.bin: expected --to, or one of the suffixes .onnx, .pt2, .safetensors",
        ),
        (["resnet18", "a.onnx", "--to", "pt2"], ".onnx is the suffix of onnx, and --to is pt2"),
        (["resnet18", "no/", "--to", "pt2"], "FILE no/: cannot be written (Is a directory)"),
        (["resnett", "a.pt2"], "unknown model 'resnett'"),
        (["ls/evaluate/seed0", "a.pt2"], "expected a training, found a job without weights of its own"),
        (["ls/train", "a.pt2", "--num-classes", "3"], "--num-classes: not with ls/train, a training"),
        (["ls/train", "a.pt2", "--ema"], "--ema: ls/train/seed0 kept no moving average"),
        (["resnet18", "a.pt2", "--ema"], "--ema: resnet18 is a model"),
        (["resnet18", "a.pt2", "--checkpoint", "none.pth"], "checkpoint 'none.pth' does not exist"),
        (["resnet18", "a.safetensors", "--fused"], "--fused: a fused model has other weights"),
        (["resnet18", "a.safetensors", "--any-size"], "--any-size: weights have no size"),
        (["resnet18", "a.pt2", "--any-size", "--batch-size", "2"], "--batch-size: not with --any-size"),
    ],
)
def test_what_cannot_be_is_one_line_and_no_file(export, trained, words, message, tmp_path):
    code, out, err = export(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not list(tmp_path.glob("a.*"))


def test_damaged_weights_of_a_training_are_one_line(export, trained):
    (trained.folder.job_folder(trained.job.id) / "checkpoints" / "weights.pt").write_bytes(b"torn")
    code, _, err = export("ls/train/seed0", "a.pt2")
    assert (code, err.count("\n")) == (2, 1)
    assert "the weights are damaged or cannot be read" in err


def test_an_old_file_stays_if_the_outputs_differ(export, tmp_path, monkeypatch):
    (tmp_path / "a.pt2").write_text("old")
    monkeypatch.setattr(formats.programs, "run_pt2", lambda content, images: torch.zeros(1, 4))
    code, _, err = export(*SMALL, "a.pt2")
    assert (code, err.count("\n")) == (2, 1)
    assert "nothing is written" in err
    assert (tmp_path / "a.pt2").read_text() == "old"
    assert not (tmp_path / "a.pt2.md").exists()


def test_missing_packages_are_one_line(export, monkeypatch):
    monkeypatch.setattr(programs, "find_spec", lambda name: None)
    code, _, err = export(*SMALL, "a.onnx")
    assert (code, err.count("\n")) == (2, 1)
    assert 'pip install "lsbench[onnx]"' in err


def test_every_format_has_its_suffix():
    assert {f".{one}" for one in verb.Format} == set(formats.SUFFIXES.values())
