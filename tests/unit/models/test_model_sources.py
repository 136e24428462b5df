import json

import huggingface_hub
import pytest
import timm
import torch
from huggingface_hub.errors import EntryNotFoundError
from safetensors.torch import save_file
from timm.models import _hub

from lsbench.core.errors import ConfigError
from lsbench.models.factory import create_model
from lsbench.models.model_sources import fetch_weights, read_cfg
from lsbench.models.weights_cfg import data_config

CFG = {"num_classes": 5, "input_size": [3, 64, 64], "crop_pct": 0.8, "mean": [0.1] * 3, "std": [0.2] * 3}


@pytest.fixture
def weights():
    torch.manual_seed(3)
    return timm.create_model("test_resnet", num_classes=5).state_dict()


@pytest.fixture
def folder(tmp_path, weights):
    content = {"architecture": "test_resnet", "num_classes": 5, "pretrained_cfg": CFG}
    (tmp_path / "config.json").write_text(json.dumps(content))
    save_file(weights, tmp_path / "model.safetensors")
    return tmp_path


def has(model, weights):
    state = model.state_dict()
    return all(torch.equal(state[name], tensor) for name, tensor in weights.items())


def test_a_folder_is_a_model_like_any_other(folder, weights):
    name = f"local-dir:{folder}"
    made = {"num_classes": 5, "img_size": 64}
    assert has(create_model(name, pretrained=True, same_classes=True, **made), weights)
    assert has(timm.create_model(name, pretrained=True), weights)
    assert not has(create_model(name, **made), weights)
    assert create_model(name, pretrained=True, num_classes=7, img_size=64).num_classes == 7
    with pytest.raises(ConfigError, match="has 5 classes instead of 7"):
        create_model(name, pretrained=True, num_classes=7, img_size=64, same_classes=True)
    wanted = data_config(name)
    assert (tuple(wanted["input_size"]), wanted["crop_pct"]) == ((3, 64, 64), 0.8)


def test_a_folder_without_weights_or_with_code_is_refused(folder):
    name = f"local-dir:{folder}"
    (folder / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match="expected a file of weights such as model"):
        create_model(name, pretrained=True, num_classes=5, img_size=64)
    torch.save(torch.nn.Linear(2, 2), folder / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="which is not loaded since it could run code"):
        create_model(name, pretrained=True, num_classes=5, img_size=64)


def test_a_hub_is_asked_for_config_and_weights_of_one_revision(folder, weights, monkeypatch):
    asked = []

    def download(repository, filename, revision=None, cache_dir=None):
        asked.append((repository, filename, revision))
        if not (folder / filename).is_file():
            raise EntryNotFoundError(filename)
        return str(folder / filename)

    for module in (huggingface_hub, _hub):
        monkeypatch.setattr(module, "hf_hub_download", download)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    model = create_model("hf-hub:me/net@abc", pretrained=True, num_classes=5, img_size=64)
    assert has(model, weights)
    assert {(repository, revision) for repository, _, revision in asked} == {("me/net", "abc")}
    assert read_cfg("hf-hub:me/net")[0] == "test_resnet"
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(ConfigError, match=r"expected one of model\.safetensors, .* there, found none"):
        fetch_weights("hf-hub:me/net")


def test_a_hub_out_of_reach_is_one_line(monkeypatch):
    def offline(*args, **settings):
        raise OSError("no route\nto the host")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", offline)
    monkeypatch.setattr(_hub, "hf_hub_download", offline)
    with pytest.raises(ConfigError, match=r"its config.json cannot be fetched: no route$"):
        create_model("hf-hub:me/net", num_classes=5, img_size=64)
    with pytest.raises(ConfigError, match=r"its weights cannot be fetched: no route$"):
        fetch_weights("hf-hub:me/net")
