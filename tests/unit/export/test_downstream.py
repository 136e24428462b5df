import io
import json

import pytest
import torch
from safetensors import safe_open

from lsbench.core.errors import UsageError
from lsbench.detection.settings import SETTINGS
from lsbench.export import formats
from lsbench.export.card import write_card
from lsbench.export.downstream import WholeToExport, subject_of_whole
from lsbench.export.numbers import known_numbers
from lsbench.models import create_downstream

#: Small enough to be built and run at once.
BACKBONE = {"mixer": "identity", "num_classes": 3, "img_size": 64}
HEADS = {
    "retinanet": {"channels": 16},
    "maskrcnn": {"channels": 16, "box_channels": 16, "proposals": 20, "detections": 10},
    "semantic_fpn": {},
}


@pytest.fixture(scope="module")
def subjects():
    """One of each kind, with random weights; running statistics are no longer those of the start."""
    return {task: create_subject(task, head) for task, head in HEADS.items()}


def create_subject(task, head):
    torch.manual_seed(0)
    settings = SETTINGS[task](**head)
    model = create_downstream(task, "lsnet_nano", mixer="identity", num_classes=3, settings=settings).eval()
    for name, tensor in model.named_buffers():
        if name.endswith("running_mean"):
            tensor.add_(0.01)
    whole = {"task": task, "head": head, "size": (64, 64)}
    return WholeToExport(model, "lsnet_nano", {"mixer": "identity"}, 3, 64, "random", None, **whole)


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
@pytest.mark.parametrize("task", SETTINGS)
def test_each_layout_gives_the_same_outputs_after_loading(task, kind, subjects):
    made = formats.export(subjects[task], kind)
    assert made.check.difference == 0
    assert made.check.reader.startswith("lsbench ")
    assert not made.is_fused


def test_the_authors_file_has_their_names_and_ours_has_ours(subjects, tmp_path):
    subject = subjects["retinanet"]
    (tmp_path / "a.pth").write_bytes(formats.WRITERS["pth"](subject))
    (tmp_path / "a.safetensors").write_bytes(formats.WRITERS["safetensors"](subject))
    theirs = torch.load(tmp_path / "a.pth", weights_only=True)["state_dict"]
    assert {"bbox_head.retina_cls.weight", "neck.lateral_convs.0.conv.weight"} <= theirs.keys()
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        assert set(file.keys()) == subject.model.state_dict().keys()
        built = json.loads(file.metadata()["lsbench.create_downstream"])
    assert (built["task"], built["backbone"], built["num_classes"]) == ("retinanet", "lsnet_nano", 3)


def test_a_file_of_one_layout_is_written_in_the_other(subjects, tmp_path):
    """What the authors published becomes ours, names of classes included."""
    subject = subjects["semantic_fpn"]
    named = torch.load(io.BytesIO(formats.WRITERS["pth"](subject)), weights_only=True)
    torch.save({**named, "meta": {"CLASSES": ("sky", "sea", "bed ")}}, tmp_path / "theirs.pth")
    found = subject_of_whole("semantic_fpn", "lsnet_nano", checkpoint=tmp_path / "theirs.pth", **BACKBONE)
    assert found.classes == ("sky", "sea", "bed ")
    assert found.weights == "those of the file `theirs.pth`"
    for name, tensor in subject.model.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], tensor), name


def test_the_card_tells_what_it_is_and_its_lines_load_the_file(subjects, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    subject = subjects["maskrcnn"]
    exported = formats.export(subject, "pth")
    (tmp_path / "m.pth").write_bytes(exported.content)
    card = write_card(subject, exported, "m.pth", known_numbers(subject))
    assert card.startswith("# Mask R-CNN on lsnet_nano, identity (pth)")
    assert "- Built on it: Mask R-CNN" in card
    assert "- Names of the weights: the authors'" in card
    assert "Mask R-CNN params (M)" in card
    assert "padded=64x64" in card
    assert "- Sizes that differ from the published ones: channels 16, box_channels 16" in card
    code = card.partition("```python")[2].partition("```")[0]
    loaded = {}
    exec(code, loaded)
    assert loaded["model"].num_classes == 3


@pytest.mark.parametrize(
    ("kind", "fused", "message"),
    [
        ("onnx", None, r"--to onnx: RetinaNet on lsnet_nano.* is written as weights; use pth"),
        ("pth", True, "--fused: a fused model has other weights"),
    ],
)
def test_programs_and_fused_weights_are_one_line(kind, fused, message, subjects):
    with pytest.raises(UsageError, match=message):
        formats.export(subjects["retinanet"], kind, is_fused=fused)


def test_a_classifier_has_no_layout_of_detectors(make_subject):
    with pytest.raises(UsageError, match="--to pth: is the authors' layout of detectors"):
        formats.export(make_subject(mixer="identity"), "pth")
