import io
import json

import pytest
import torch

from lsbench.cli import export as verb
from lsbench.engine.weights import WEIGHTS, load
from lsbench.export import formats
from lsbench.models import programs
from lsbench.scheduler.child import execute

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
            "FILE a.bin: expected --to, or one of the suffixes .onnx, .pt2, .safetensors, .pth",
        ),
        (["resnet18", "a.onnx", "--to", "pt2"], ".onnx is the suffix of onnx, and --to is pt2"),
        (["resnet18", "no/", "--to", "pt2"], "FILE no/: cannot be written (Is a directory)"),
        (["resnett", "a.pt2"], "unknown model 'resnett'"),
        (["ls/evaluate/seed0", "a.pt2"], "expected a training, found a job without weights of its own"),
        (["ls/train", "a.pt2", "--num-classes", "3"], "--num-classes: not with ls/train, a training"),
        (["ls/train", "a.pt2", "--ema"], "--ema: ls/train/seed0 kept no moving average"),
        (["resnet18", "a.pt2", "--ema"], "--ema: resnet18 is a model"),
        (["resnet18", "a.pt2", "--checkpoint", "none.pth"], "--checkpoint none.pth: does not exist"),
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


@pytest.fixture
def detected(prepare_scenes, tiny, make_graph, fill_store):
    """The folder of results with a finished job ``id/detect/seed3``, and the folder of the job."""
    folder = prepare_scenes("results", "detect", iterations=1)
    fill_store(make_graph({**tiny, "seeds": [3]}), records=lambda job: None)
    execute(folder, lambda event: None)
    return folder.parents[3], folder


def test_a_detector_of_a_suite_is_written_with_the_authors_names_and_described(detected, call, tmp_path):
    results, job = detected
    words = ["export", "id/detect/seed3", tmp_path / "d.pth", "--results", results]
    code, out, err = call(*words)
    assert (code, err.splitlines()[0]) == (0, f"{tmp_path / 'd.pth'}: written (pth)")
    assert out.startswith("RetinaNet on lsnet_nano, identity: weights are the last weights of the job id/det")
    assert "differ from the model's by at most 0.0e+00" in out
    found = torch.load(tmp_path / "d.pth", weights_only=True)
    trained = load(job / WEIGHTS)
    assert found["meta"]["CLASSES"] == ("top", "trouser", "dress", "shoe", "bag")
    theirs = found["state_dict"]["bbox_head.retina_cls.weight"]
    assert torch.equal(theirs, trained["head.classification_head.cls_logits.weight"])
    card = (tmp_path / "d.pth.md").read_text()
    assert "- Data set: fashion_coco (" in card
    assert "RetinaNet AP (%)" in card
    assert "- Classes, in the order of labels: top, trouser, dress, shoe, bag" in card
    code, _, err = call("evaluate", "id/detect/seed3", "--results", results)
    assert (code, err.count("\n")) == (2, 1)
    assert "expected the training of a classifier, found a detector or segmenter" in err


def test_a_segmenter_is_written_by_name(call, tmp_path):
    words = ["export", "lsnet_nano", tmp_path / "s.safetensors", "--task", "semantic_fpn", "--num-classes", 3]
    assert call(*words, "--img-size", 64)[0] == 0
    assert "Semantic FPN" in (tmp_path / "s.safetensors.md").read_text()
    code, _, err = call(*words, "--pretrained")
    assert (code, err.count("\n")) == (2, 1)
    assert "--pretrained: not with --task" in err
