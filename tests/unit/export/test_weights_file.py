import json

import pytest
import timm
import torch
from safetensors import safe_open
from safetensors.torch import load

from lsbench.export.weights_file import load_in_timm, to_safetensors


def test_names_are_those_of_timm(make_subject, images, tmp_path):
    subject = make_subject("resnet18")
    content = to_safetensors(subject)
    assert load(content).keys() == timm.create_model("resnet18", num_classes=5).state_dict().keys()
    (tmp_path / "a.safetensors").write_bytes(content)
    model = timm.create_model("resnet18", num_classes=5, checkpoint_path=str(tmp_path / "a.safetensors"))
    assert torch.equal(model.eval()(images), subject.model(images))
    _, arguments = load_in_timm(content, subject)
    assert arguments == {"num_classes": 5}


def test_the_arguments_that_build_the_model_are_kept(make_subject, images, tmp_path):
    subject = make_subject(mixer="ls_conv", mixer_args={"kernel_large": 5})
    content = to_safetensors(subject)
    model, arguments = load_in_timm(content, subject)
    assert torch.equal(model(images), subject.model(images))
    assert arguments == {
        "mixer": "ls_conv",
        "mixer_args": {"kernel_large": 5},
        "num_classes": 5,
        "img_size": 32,
    }
    (tmp_path / "a.safetensors").write_bytes(content)
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        told = json.loads(file.metadata()["timm.create_model"])
    assert (told["model"], told["mixer_args"]) == ("lsnet_nano", {"kernel_large": 5})


def test_weights_that_do_not_fit_are_an_error(make_subject):
    other = to_safetensors(make_subject("resnet18"))
    with pytest.raises(RuntimeError):
        load_in_timm(other, make_subject("resnet34"))
