import json

import huggingface_hub
import pytest

from lsbench.core.errors import ConfigError, DataError
from lsbench.core.model_sources import (
    architecture_of,
    hub_revision,
    is_sourced,
    pinned,
    read_config,
    row_name,
    source_problem,
    weights_content,
    weights_in,
)

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "resnet18", "num_classes": 10}))
    return tmp_path


def test_a_folder_names_its_architecture(folder):
    name = f"local-dir:{folder}"
    assert (is_sourced(name), is_sourced("resnet18"), is_sourced("hf-hub:a/b")) == (True, False, True)
    assert (source_problem(name), architecture_of(name)) == (None, "resnet18")
    assert row_name(name) == folder.name
    assert architecture_of("hf-hub:a/b") == "hf-hub:a/b"


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"architecture": 3}'])
def test_a_folder_without_a_model_is_told(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    name = f"local-dir:{tmp_path}"
    assert "config.json" in source_problem(name)
    assert architecture_of(name) == name
    with pytest.raises(ConfigError, match=f"model '{name}': expected "):
        read_config(name)


@pytest.mark.parametrize(
    ("name", "is_good"), [("a/b", True), ("a/b.c@v1", True), ("a", False), ("a/b/c", False)]
)
def test_a_hubs_name_has_an_owner(name, is_good):
    assert (source_problem(f"hf-hub:{name}") is None) == is_good


def test_weights_are_found_in_timms_order_and_are_part_of_the_content(folder):
    place, found = f"local-dir:{folder}", []
    assert weights_in(folder) is None
    for name in ("other.bin", "zoo.pth", "any.safetensors", "pytorch_model.bin", "model.safetensors"):
        (folder / name).write_bytes(name.encode())
        assert weights_in(folder).name == name
        found.append(weights_content(place))
    (folder / "model.safetensors").write_bytes(b"other")
    found.append(weights_content(place))
    (folder / "config.json").write_text('{"architecture": "resnet34"}')
    assert len({*found, weights_content(place)}) == 7
    (folder / "README.md").write_text("a card")
    assert weights_content(place) not in found


def test_a_hubs_content_is_its_revision(monkeypatch, tmp_path):
    asked = []

    class Api:
        def repo_info(self, repository, revision):
            asked.append((repository, revision))
            return type("Info", (), {"sha": SHA})

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    assert weights_content("hf-hub:a/b") == hub_revision("hf-hub:a/b@v1") == SHA
    assert asked == [("a/b", None), ("a/b", "v1")]
    assert weights_content(f"hf-hub:a/b@{SHA[::-1]}") == SHA[::-1]
    assert len(asked) == 2, "a whole hash needs no answer"
    assert pinned("hf-hub:a/b@v1", {"hf-hub:a/b@v1": SHA}) == f"hf-hub:a/b@{SHA}"
    assert [pinned(name, {name: SHA}) for name in ("resnet18", "local-dir:/a")] == [
        "resnet18",
        "local-dir:/a",
    ]


def test_without_a_connection_the_revision_is_that_of_the_last_fetch(monkeypatch, tmp_path):
    def offline():
        raise OSError("no route to\nthe host")

    monkeypatch.setattr(huggingface_hub, "HfApi", offline)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(DataError, match=r"model 'hf-hub:a/b': cannot be reached \(no route to the host\)"):
        hub_revision("hf-hub:a/b")
    (tmp_path / "models--a--b" / "refs").mkdir(parents=True)
    (tmp_path / "models--a--b" / "refs" / "main").write_text(f"{SHA}\n")
    assert hub_revision("hf-hub:a/b") == SHA
