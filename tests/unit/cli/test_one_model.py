import re

import pytest

from lsbench.cli import one_model
from lsbench.core.errors import UsageError


def test_weights_have_one_word():
    assert one_model.chosen_weights(None, is_pretrained=False) == ("fresh", {})
    assert one_model.chosen_weights(None, is_pretrained=True) == ("pretrained", {"pretrained": True})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.pth", "--checkpoint a.pth: does not exist"),
        (".", "--checkpoint .: is a folder; name the file in it"),
        ("https://example.org/a.pth", "--checkpoint .*: is an address; download the file"),
    ],
)
def test_a_file_of_weights_that_is_not_there_is_told_before_anything_is_prepared(name, words, call):
    code, out, err = call("evaluate", "resnet18", "--checkpoint", name)
    assert (code, out) == (2, "")
    assert re.fullmatch(f"lsbench: {words}\n", err)


def test_settings_that_a_data_set_lacks_are_left_out():
    found = one_model.read_dataset("--on", "imagenet_a", {"img_size": 96, "test_images": 20, "root": None})
    assert found == {"name": "imagenet_a", "img_size": 96, "root": None}


def test_a_wrong_setting_of_a_data_set_is_told_without_words_of_pydantic():
    for asked, words in (
        ({"name": "fashion", "img_size": "wide"}, "img_size: input should be a valid integer, found 'wide'"),
        ({"name": "coco_json", "root": "/x", "annotations": "a.json"}, "annotations: expected <split> in"),
    ):
        with pytest.raises(UsageError) as caught:
            one_model.read_dataset("--on", asked, {})
        assert str(caught.value).startswith(f"--on {asked['name']}: {words}")
        assert "Value error" not in str(caught.value)


def test_only_what_was_given_is_refused():
    one_model.refuse_options("a/train", {"--mixer": None, "--pretrained": False})
    with pytest.raises(UsageError, match="--mixer, --pretrained: not with a/train"):
        one_model.refuse_options("a/train", {"--mixer": "cga", "--pretrained": True})


def test_a_wrong_setting_of_a_job_names_the_option(tmp_path):
    variant = {"name": "a", "model": "resnet18", "dataset": {"name": "fashion"}}
    with pytest.raises(UsageError, match=r"--batch_size: .*greater than or equal to 1"):
        one_model.run_alone("evaluate", variant, {"batch_size": 0}, folder=tmp_path, device="cpu", emit=print)


def test_a_log_gets_no_progress_bar(capsys):
    with one_model.progress_bar() as emit:
        emit({"ev": "step", "step": 1, "steps": 2})
    assert capsys.readouterr().err == ""


def test_a_warning_of_a_job_is_a_line(capsys):
    with one_model.progress_bar() as emit:
        emit({"ev": "warning", "message": "erf: [b] has random weights"})
    assert capsys.readouterr().err == "warning: erf: [b] has random weights\n"


@pytest.mark.parametrize("kind", ["mps", "xpu"])
def test_a_device_that_is_not_supported_is_refused_in_one_line(kind):
    with pytest.raises(
        UsageError, match=f"--device {kind}: lsbench does not support it; use --device cuda or cpu"
    ):
        one_model.check_device(one_model.Device(kind))


@pytest.mark.parametrize(
    ("kind", "told"), [("MPS", "lsbench does not support MPS: this runs on the CPU."), (None, "")]
)
def test_a_machine_whose_gpu_is_not_supported_says_that_it_takes_the_cpu(monkeypatch, capsys, kind, told):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("lsbench.engine.process.unsupported_device", lambda: kind)
    assert one_model.check_device(one_model.Device.auto) == "cpu"
    assert capsys.readouterr().err.strip() == told
