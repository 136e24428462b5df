import argparse
import pickle
import zipfile

import fsspec
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from lsbench.core.errors import ConfigError
from lsbench.models.checkpoints import fitted, keep_own_classifier, load_checkpoint
from lsbench.models.factory import create_model


@pytest.fixture(scope="module")
def source():
    torch.manual_seed(0)
    return create_model("lsnet_nano", num_classes=4, img_size=32).eval()


@pytest.fixture
def model():
    torch.manual_seed(1)
    return create_model("lsnet_nano", num_classes=4, img_size=32).eval()


@pytest.fixture
def same_weights(source, model):
    def check():
        state = model.state_dict()
        return all(torch.equal(value, state[key]) for key, value in source.state_dict().items())

    assert not check()
    return check


def test_a_training_checkpoint_is_loaded_with_its_arguments_beside_it(source, model, same_weights, tmp_path):
    path = tmp_path / "checkpoint.pth"
    torch.save({"model": source.state_dict(), "args": argparse.Namespace(lr=1e-3), "epoch": 7}, path)
    load_checkpoint(model, path)
    assert same_weights()


def test_safetensors_are_loaded(source, model, same_weights, tmp_path):
    save_file(source.state_dict(), tmp_path / "weights.safetensors")
    load_checkpoint(model, str(tmp_path / "weights.safetensors"))
    assert same_weights()


def test_an_address_is_fetched_once(source, model, same_weights, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    path = tmp_path / "weights.pth"
    torch.save(source.state_dict(), path)
    load_checkpoint(model, path.as_uri())
    path.unlink()
    load_checkpoint(model, path.as_uri())
    assert same_weights()
    (kept,) = (tmp_path / "hub" / "checkpoints").iterdir()
    assert kept.name.endswith("-weights.pth")


def test_an_address_that_holds_something_else_is_fetched_again(source, model, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    path = tmp_path / "weights.pth"
    torch.save({key: torch.zeros_like(value) for key, value in source.state_dict().items()}, path)
    load_checkpoint(model, path.as_uri())
    assert all(not value.any() for value in model.state_dict().values())
    torch.save(source.state_dict(), path)
    load_checkpoint(model, path.as_uri())
    assert any(value.any() for value in model.state_dict().values())


def test_a_feature_extractor_takes_what_it_needs(source, tmp_path):
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    extractor = timm.create_model("lsnet_nano", features_only=True, out_indices=(0, 1)).eval()
    load_checkpoint(extractor, tmp_path / "weights.pth")
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        expected = source.forward_intermediates(x, [0, 1], intermediates_only=True)
        assert all(torch.equal(a, b) for a, b in zip(extractor(x), expected, strict=True))


def test_timms_own_models_are_adapted_by_their_own_filter(tmp_path):
    torch.save(timm.create_model("vit_tiny_patch16_224").state_dict(), tmp_path / "weights.pth")
    small = create_model("vit_tiny_patch16_224", num_classes=1000, img_size=64)
    load_checkpoint(small, tmp_path / "weights.pth")
    assert small.pos_embed.shape[1] == 4 * 4 + 1


def test_another_number_of_classes_is_said(source, tmp_path, caplog):
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    model = create_model("lsnet_nano", num_classes=9, img_size=32)
    load_checkpoint(model, tmp_path / "weights.pth")
    assert caplog.messages == ["checkpoint of 4 classes for 9: 'head.l' starts from scratch"]
    assert torch.equal(model.head.bn.weight, source.head.bn.weight)


def problem(model, path):
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ConfigError) as caught:
        load_checkpoint(model, path)
    (line,) = caught.value.problems
    assert "\n" not in line
    assert str(path) in line
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    return line.replace(str(path), "FILE")


def test_other_classes_are_refused_where_they_would_be_tested(source, tmp_path):
    torch.save(source.state_dict(), tmp_path / "four.pth")
    with pytest.raises(
        ConfigError, match=r"does not fit model 'lsnet_nano': its 'head.l' has 4 classes instead of 9"
    ):
        create_model(
            "lsnet_nano", num_classes=9, img_size=32, checkpoint=str(tmp_path / "four.pth"), same_classes=True
        )


def test_names_that_do_not_fit_are_counted_and_shown(source, model, tmp_path):
    state = source.state_dict()
    changed = {key.replace("patch_embed.0", "stem"): value for key, value in state.items()}
    torch.save(changed, tmp_path / "a.pth")
    assert problem(model, tmp_path / "a.pth") == (
        f"checkpoint 'FILE' does not fit model 'lsnet_nano': 5 of its {len(state)} weights missing "
        "(patch_embed.0.c.weight 16x3x3x3, patch_embed.0.bn.weight 16, patch_embed.0.bn.bias 16, ...); "
        "6 unknown to it (stem.c.weight 16x3x3x3, stem.bn.weight 16, stem.bn.bias 16, ...)"
    )


def test_shapes_that_do_not_fit_are_shown(source, model, tmp_path):
    wide = {**source.state_dict(), "patch_embed.0.c.weight": torch.zeros(16, 3, 5, 5)}
    torch.save(wide, tmp_path / "a.pth")
    assert problem(model, tmp_path / "a.pth") == (
        "checkpoint 'FILE' does not fit model 'lsnet_nano': 1 of another shape "
        "(patch_embed.0.c.weight is 16x3x5x5 instead of 16x3x3x3)"
    )
    assert "weights missing" in problem(
        create_model("lsnet_t", num_classes=4, img_size=64), tmp_path / "a.pth"
    )


class Malicious:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        import os

        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("how", ["zip", "pickle", "new_pickle"])
def test_code_in_a_file_is_refused_and_not_run(model, tmp_path, how):
    path, mark = tmp_path / "weights.pth", tmp_path / "mark"
    if how == "zip":
        torch.save({"model": Malicious(mark)}, path)
    else:
        path.write_bytes(pickle.dumps({"model": Malicious(mark)}, protocol=2 if how == "pickle" else 5))
    line = problem(model, path)
    assert not mark.exists()
    if how != "new_pickle":
        assert (
            "system', which is not loaded since it could run code; save the model's state dict alone" in line
        )


def test_a_whole_model_is_refused(source, model, tmp_path):
    torch.save(source, tmp_path / "model.pt")
    assert "needs 'lsbench.models.backbone.LSNet', which is not loaded" in problem(
        model, tmp_path / "model.pt"
    )


def truncated(path):
    torch.save(nn.Linear(64, 64).state_dict(), path)
    path.write_bytes(path.read_bytes()[:2000])


def stump(path):
    torch.save({str(number): torch.zeros(2000) for number in range(700)}, path)
    path.write_bytes(path.read_bytes()[:5000])


def other_archive(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "text")


@pytest.mark.parametrize(
    "write",
    [
        truncated,
        stump,
        other_archive,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("a table\n1,2,3\n"),
        lambda path: path.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(99)),
    ],
    ids=["truncated", "stump", "archive", "empty", "text", "image"],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_is_no_checkpoint_is_called_so(model, tmp_path, write, suffix):
    write(tmp_path / f"file{suffix}")
    assert problem(model, tmp_path / f"file{suffix}").startswith(
        "checkpoint 'FILE' is damaged or not a checkpoint"
    )


def test_a_missing_file_a_folder_and_a_dead_address(model, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    assert problem(model, tmp_path / "none.pth") == "checkpoint 'FILE' does not exist"
    assert problem(model, tmp_path) == "checkpoint 'FILE' is a folder; name the file in it"
    assert "cannot be fetched" in problem(model, (tmp_path / "none.pth").as_uri())
    assert "cannot be fetched: Protocol not known: ftq" in problem(model, "ftq://host/a.pth")
    assert "cannot be fetched: " in problem(model, "memory://nowhere/a.pth")
    assert not [*(tmp_path / "hub").rglob("*.pth*")]


def test_a_file_of_an_object_store_is_fetched_once(model, source, same_weights, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    files = fsspec.filesystem("memory")
    with files.open("/bucket/a.pth", "wb") as file:
        torch.save(source.state_dict(), file)
    load_checkpoint(model, "memory://bucket/a.pth")
    assert same_weights()
    files.rm("/bucket", recursive=True)
    load_checkpoint(model, "memory://bucket/a.pth")
    (kept,) = (tmp_path / "hub" / "checkpoints").iterdir()
    assert kept.name.endswith("-a.pth")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([1, 2], "it holds no weights by name"),
        ({}, "it holds no weights by name"),
        ({"lr": 0.1}, "it holds no weights: 'lr' is not a tensor"),
        ({"model": {"lr": 0.1}}, "it holds no weights: 'lr' is not a tensor"),
    ],
)
def test_a_file_without_weights_is_called_so(model, tmp_path, content, reason):
    torch.save(content, tmp_path / "a.pth")
    assert problem(model, tmp_path / "a.pth").endswith(f"does not fit model 'lsnet_nano': {reason}")


def test_the_average_of_a_file_with_both_is_taken_as_timm_does_and_said(source, tmp_path, caplog):
    raw = {key: torch.zeros_like(tensor) for key, tensor in source.state_dict().items()}
    for keys in (("model", "model_ema"), ("state_dict", "state_dict_ema")):
        path = str(tmp_path / f"{keys[0]}.pth")
        torch.save(dict(zip(keys, (raw, source.state_dict()), strict=True)), path)
        made = {"num_classes": 4, "img_size": 32}
        timms = timm.create_model("lsnet_nano", checkpoint_path=path, **made).state_dict()
        for kind, expected in ((None, source.state_dict()), ("ema", source.state_dict()), ("raw", raw)):
            ours = create_model("lsnet_nano", checkpoint=path, checkpoint_weights=kind, **made)
            assert all(torch.equal(ours.state_dict()[key], tensor) for key, tensor in expected.items())
            assert ours.checkpoint_weights == (kind or "ema")
        assert all(torch.equal(timms[key], tensor) for key, tensor in source.state_dict().items())
    assert caplog.messages[0] == (
        f"checkpoint '{tmp_path / 'model.pth'}' holds two sets of weights: the moving average (ema) is taken"
    )
    torch.save(source.state_dict(), path)
    with pytest.raises(
        ConfigError, match="does not say what they are, not a moving average; leave checkpoint_"
    ):
        create_model("lsnet_nano", checkpoint=path, checkpoint_weights="ema", **made)
    with pytest.raises(ConfigError, match=r"checkpoint_weights: expected ema or raw beside a checkpoint"):
        create_model("lsnet_nano", checkpoint_weights="ema", **made)


def test_a_backbone_alone_is_taken_for_training_and_refused_for_testing(source, tmp_path, caplog):
    body = {f"backbone.{key}": value for key, value in source.state_dict().items() if "head" not in key}
    path = str(tmp_path / "segmenter.pth")
    torch.save({"meta": {}, "state_dict": {**body, "decode_head.conv.weight": torch.ones(3)}}, path)
    model = create_model("lsnet_nano", num_classes=7, img_size=32, checkpoint=path)
    assert torch.equal(model.patch_embed[0].c.weight, source.patch_embed[0].c.weight)
    assert caplog.messages == ["checkpoint without a classifier: 'head' starts from scratch"]
    with pytest.raises(ConfigError, match="it has no classifier 'head': it is a backbone alone"):
        create_model("lsnet_nano", num_classes=7, img_size=32, checkpoint=path, same_classes=True)


@pytest.mark.parametrize("name", ["lsnet_nano", "test_resnet"])
def test_the_first_convolution_is_summed_for_grey_images_as_timm_does(name, tmp_path):
    torch.manual_seed(0)
    colour = timm.create_model(name, num_classes=4)
    torch.save(colour.state_dict(), tmp_path / "a.pth")
    grey = create_model(name, num_classes=4, img_size=32, in_chans=1, checkpoint=str(tmp_path / "a.pth"))
    layer = f"{colour.pretrained_cfg['first_conv']}.weight"
    expected = colour.state_dict()[layer].sum(1, keepdim=True)
    assert torch.equal(grey.state_dict()[layer], expected)


def test_only_the_number_of_classes_may_differ_in_a_classifier():
    state = {"head.weight": torch.ones(5, 4), "head.bias": torch.ones(5)}
    own = {"head.weight": torch.zeros(3, 4), "head.bias": torch.zeros(3)}
    assert keep_own_classifier(state, own, ["head"]) == own
    narrow = {**own, "head.weight": torch.zeros(3, 2)}
    assert keep_own_classifier(state, narrow, ["head"]) == state


@pytest.mark.parametrize("name", ["caformer_s18", "convnext_atto", "resnet18"])
def test_a_classifier_of_any_form_is_taken_where_the_model_has_it_and_left_where_not(name):
    """MetaFormer's has several layers; that of ConvNeXt stands beside a normalisation that stays."""
    with torch.device("meta"):
        model, bare = (create_model(name, num_classes=classes, img_size=64) for classes in (3, 0))
    state = model.state_dict()
    assert fitted(state, model)[0].keys() == state.keys()
    assert fitted(state, bare)[0].keys() == bare.state_dict().keys()
