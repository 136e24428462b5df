import re

import pytest

from lsbench.export import card
from lsbench.export.card import loading_lines, write_card
from lsbench.export.formats import Check, Exported
from lsbench.export.numbers import Known
from lsbench.tables.one_job import Number

CHECK = Check("torch 2.14", 3e-6, 1e-4, 4)


def exported(kind="pt2", **more):
    fields = {"is_fused": True, "shape": (1, 3, 32, 32), "check": CHECK, "arguments": {}, **more}
    return Exported(b"x" * 2**20, kind, **fields)


def test_a_card_has_every_part_of_a_model(make_subject):
    number = Number("top1", 0.5, "fraction", 20, 0.4, 0.6, "wilson", "test|n=20|v1", "fashion", None, False)
    text = write_card(make_subject(mixer="cga"), exported(), "a.pt2", [Known(number, "a/evaluate/seed0")])
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    assert titles == [
        "lsnet_nano, cga (pt2)",
        *("Load it", "Numbers", "Training", "Check", "Versions", "Licence and citation"),
    ]
    assert "- Weights: random, from seed 0: it is not trained" in text
    assert "fused for evaluation, for images of the fixed shape 1x3x32x32" in text
    assert "32 x 32 pixels, values in [0, 1], minus the mean (0.5, 0.5, 0.5)" in text
    line = r"| top-1 (%): 50.00 [40.00, 60.00], n=20 | test\|n=20\|v1 | fashion | a/evaluate/seed0 |"
    assert line in text
    assert "Loaded in torch 2.14, outputs of 4 random images differ" in text
    assert "arXiv:2503.23135" in text
    assert "- Token mixer cga: EfficientViT: " in text
    assert "(Apache-2.0)" in text


def test_the_files_of_all_packages_are_read_for_a_module_that_no_package_is_named_after_alone(monkeypatch):
    looked = []
    monkeypatch.setattr(card, "packages_distributions", lambda: looked.append(1) or {"yaml": ["PyYAML"]})
    assert re.fullmatch(r"timm \S+ \(Apache-2.0\)", card._package("timm"))
    assert not looked
    assert re.fullmatch(r"PyYAML \S+ \(MIT\)", card._package("yaml"))
    assert card._package("no_such_module") == "no_such_module"
    assert len(looked) == 2


def test_a_program_for_any_size_says_so(make_subject):
    text = write_card(make_subject("resnet18"), exported(shape=(None, 3, None, None)), "a.pt2", [])
    assert "fused for evaluation, for images of any number and size, float32" in text


def test_what_is_unknown_is_said(make_subject):
    text = write_card(make_subject("resnet18"), exported("onnx", check=None, is_fused=False), "a.onnx", [])
    assert "None are known." in text
    assert "Not checked: onnxruntime is not installed." in text
    assert "not fused, for images" in text
    assert "ONNX opset 18" in text
    assert "Code of the model: timm" in text


@pytest.mark.parametrize(
    ("kind", "name", "lines"),
    [
        ("onnx", "resnet18", ["import onnxruntime", "model = onnxruntime.InferenceSession('f')"]),
        ("pt2", "resnet18", ["import torch", "model = torch.export.load('f').module()"]),
        (
            "safetensors",
            "resnet18",
            [
                "import timm",
                "model = timm.create_model('resnet18', num_classes=5, checkpoint_path='f').eval()",
            ],
        ),
        (
            "safetensors",
            "lsnet_nano",
            [
                "import lsbench.models, timm",
                "model = timm.create_model('lsnet_nano', num_classes=5, checkpoint_path='f').eval()",
            ],
        ),
    ],
)
def test_two_lines_load_it(make_subject, kind, name, lines):
    arguments = {"num_classes": 5} if kind == "safetensors" else {}
    assert loading_lines(make_subject(name), exported(kind, arguments=arguments), "f") == lines
