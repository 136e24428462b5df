import pytest
import torch

from lsbench.models import create_downstream
from lsbench.models.downstream.key_map import (
    authors_checkpoint,
    authors_classifier,
    authors_names,
    from_authors,
    to_authors,
)
from lsbench.models.downstream.weights import load_downstream

from .conftest import AUTHORS

#: Parameters and keys of the authors' models of 80 and 150 classes.
COUNTS = {
    ("maskrcnn", "lsnet_t"): (31_998_400, 735),
    ("maskrcnn", "lsnet_s"): (36_728_088, 763),
    ("maskrcnn", "lsnet_b"): (43_888_608, 1003),
    ("retinanet", "lsnet_t"): (20_950_212, 727),
    ("retinanet", "lsnet_s"): (25_827_356, 755),
    ("retinanet", "lsnet_b"): (33_135_332, 995),
    ("semantic_fpn", "lsnet_t"): (15_245_158, 749),
    ("semantic_fpn", "lsnet_s"): (19_974_846, 777),
    ("semantic_fpn", "lsnet_b"): (27_135_366, 1017),
}


def published(task, name):
    with torch.device("meta"):
        return create_downstream(task, name, num_classes=150 if task == "semantic_fpn" else 80)


@pytest.mark.parametrize(("task", "name"), COUNTS)
def test_parameters_and_keys_are_as_many_as_the_authors(task, name):
    model = published(task, name)
    assert (sum(p.numel() for p in model.parameters()), len(model.state_dict())) == COUNTS[task, name]


@pytest.mark.parametrize("task", AUTHORS["tasks"])
def test_every_key_of_the_authors_has_its_place_and_shape_both_ways(task):
    facts, model = AUTHORS["tasks"][task], published(task, "lsnet_t")
    assert facts["params"] == sum(p.numel() for p in model.parameters())
    theirs = {**AUTHORS["backbone"], **facts["state_dict"]}
    written = to_authors(task, model)
    assert {key: list(tensor.shape) for key, tensor in written.items()} == theirs
    assert from_authors(task, model, written).keys() == model.state_dict().keys()
    assert len(set(authors_names(task, model).values())) == len(theirs)
    assert authors_classifier(task) in theirs


def test_a_file_for_the_authors_programs_has_the_names_of_classes(small_model, tmp_path):
    model, path = small_model("maskrcnn"), tmp_path / "authors.pth"
    torch.save(authors_checkpoint("maskrcnn", model, ("a", "b", "c")), path)
    content = torch.load(path, weights_only=True)
    assert content["meta"] == {"CLASSES": ("a", "b", "c")}
    assert list(content["state_dict"]) == list(to_authors("maskrcnn", model))
    other = small_model("maskrcnn")
    torch.nn.init.ones_(other.rpn.head.cls_logits.bias)
    load_downstream("maskrcnn", other, path)
    assert torch.equal(other.rpn.head.cls_logits.bias, model.rpn.head.cls_logits.bias)
    assert authors_checkpoint("maskrcnn", model)["meta"] == {}


def test_weights_that_nobody_knows_keep_their_names():
    model = published("retinanet", "lsnet_t")
    found = from_authors(
        "retinanet", model, {"bbox_head.retina_reg.bias": torch.zeros(1), "x": torch.ones(1)}
    )
    assert list(found) == ["head.regression_head.bbox_reg.bias", "x"]
