import pytest
import torch

from lsbench.core.errors import ConfigError
from lsbench.models.downstream.key_map import to_authors
from lsbench.models.downstream.weights import load_downstream

TASKS = ("retinanet", "maskrcnn", "semantic_fpn")


@pytest.fixture
def save(tmp_path):
    def write(content):
        path = tmp_path / "weights.pth"
        torch.save(content, path)
        return path

    return write


def layouts(task, model):
    """Return the same weights as each program would save them."""
    theirs, ours = to_authors(task, model), model.state_dict()
    return {
        "the authors'": {
            "meta": {"epoch": 12, "CLASSES": ("a", "b")},
            "state_dict": theirs,
            "optimizer": {"a": 1},
        },
        "of parallel training": {"state_dict": {f"module.{key}": tensor for key, tensor in theirs.items()}},
        "their state dict": theirs,
        "our state dict": ours,
        "of a training of ours": {"model": ours, "epoch": 3},
    }


@pytest.mark.parametrize("task", TASKS)
def test_files_of_the_authors_and_ours_give_back_every_weight(small_model, save, task):
    model = small_model(task)
    for name, content in layouts(task, model).items():
        other = small_model(task)
        for parameter in other.parameters():
            torch.nn.init.constant_(parameter, 7)
        load_downstream(task, other, save(content))
        same = [
            torch.equal(a, b)
            for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True)
        ]
        assert all(same), name


@pytest.mark.parametrize("task", TASKS)
def test_other_classes_are_told_in_one_line(small_model, save, task):
    for content in layouts(task, small_model(task, num_classes=5)).values():
        path = save(content)
        with pytest.raises(ConfigError, match=r"its head has 5 classes instead of 3$") as caught:
            load_downstream(task, small_model(task), path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("task", TASKS)
def test_another_task_is_told_in_one_line(small_model, save, task):
    for other in TASKS:
        if other != task:
            for content in layouts(other, small_model(other)).values():
                with pytest.raises(
                    ConfigError, match=f"does not fit {task} of these sizes: it is of {other}$"
                ):
                    load_downstream(task, small_model(task), save(content))


def test_no_weight_is_missing_or_left_over(small_model, save):
    task = "retinanet"
    model = small_model(task)
    state = to_authors(task, model)
    missing = dict(state)
    del missing["neck.fpn_convs.0.conv.bias"]
    with pytest.raises(ConfigError, match=r"1 of its \d+ weights missing \(neck.fpn_convs.0.bias 16\)$"):
        load_downstream(task, model, save(missing))
    with pytest.raises(ConfigError, match=r"1 unknown to it \(neck.more.conv.bias 4\)$"):
        load_downstream(task, model, save({**state, "neck.more.conv.bias": torch.zeros(4)}))
    wide = {**state, "neck.fpn_convs.0.conv.bias": torch.zeros(4)}
    with pytest.raises(
        ConfigError, match=r"1 of another shape \(neck.fpn_convs.0.bias is 4 instead of 16\)$"
    ):
        load_downstream(task, model, save(wide))


def test_what_follows_from_a_models_size_may_be_left_out(small_model, save):
    task = "semantic_fpn"
    model, other = small_model(task), small_model(task)
    torch.nn.init.ones_(other.decode_head.conv_seg.bias)
    implied = ("num_batches_tracked", "attention_bias_idxs")
    state = {key: tensor for key, tensor in to_authors(task, model).items() if not key.endswith(implied)}
    assert len(model.state_dict()) - len(state) > 10
    load_downstream(task, other, save(state))
    pairs = zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_backbone_alone_is_no_detector(small_model, save):
    model = small_model("retinanet")
    state = {key: tensor for key, tensor in model.state_dict().items() if key.startswith("backbone.")}
    with pytest.raises(ConfigError, match=r"no classifier 'head.*' \('bbox_head.retina_cls.bias' of"):
        load_downstream("retinanet", model, save(state))


def test_files_that_need_code_or_hold_nothing_are_refused(small_model, save, tmp_path):
    model = small_model("retinanet")
    with pytest.raises(ConfigError, match="could run code"):
        load_downstream("retinanet", model, save({"state_dict": model}))
    with pytest.raises(ConfigError, match="holds no weights"):
        load_downstream("retinanet", model, save({"state_dict": {}}))
    with pytest.raises(ConfigError, match="does not exist"):
        load_downstream("retinanet", model, tmp_path / "none.pth")
