import pytest
import torch

from lsbench.core.errors import ConfigError
from lsbench.detection.settings import RetinaNetSettings
from lsbench.models import create_downstream, create_model
from lsbench.models.blocks import Attention
from lsbench.models.downstream.factory import MODELS

from .conftest import NANO, SMALL

#: Backbones of the paper's Tables 2 and 3 whose maps begin at stride 4.
OTHERS = (
    "mobilenetv2_100",
    "mobilenetv3_large_100",
    "resnet18",
    "starnet_s1",
    "poolformer_s12",
    "fastvit_sa12",
)


def attentions(model):
    return [module for module in model.modules() if isinstance(module, Attention)]


def test_the_authors_backbones_resize_the_matrix_of_a_map_of_14_x_14():
    with torch.device("meta"):
        model = create_downstream("retinanet", "lsnet_t", num_classes=80)
        assert {(m.resolution, m.bias_resize) for m in attentions(model)} == {((14, 14), "matrix")}
        model = create_downstream("retinanet", "lsnet_t", num_classes=80, img_size=128, bias_resize="table")
        assert {(m.resolution, m.bias_resize) for m in attentions(model)} == {((2, 2), "table")}
        model = create_downstream("retinanet", "lsnet_nano", num_classes=80)
        assert {(m.resolution, m.bias_resize) for m in attentions(model)} == {((1, 1), "table")}


@pytest.mark.parametrize("task", MODELS)
@pytest.mark.parametrize("name", OTHERS)
def test_backbones_of_the_papers_tables_work(task, name):
    with torch.device("meta"):
        model = create_downstream(task, name, num_classes=80)
        first = 8 if task == "retinanet" else 4
        assert model.strides[0] == first
        maps = model.pyramid(torch.zeros(1, 3, 256, 320))
    sizes = [tuple(one.shape[1:]) for one in maps]
    assert sizes == [(256, -(-256 // stride), -(-320 // stride)) for stride in model.strides]


@pytest.mark.parametrize(
    ("task", "name", "options"),
    [
        ("retinanet", "mobilenetv3_large_100", {}),
        ("retinanet", "starnet_s1", {}),
        ("maskrcnn", "starnet_s1", {}),
        ("maskrcnn", "fastvit_sa12", {}),
        ("semantic_fpn", "pvt_v2_b0", {}),
        ("semantic_fpn", "swin_tiny_patch4_window7_224", {"strict_img_size": False}),
    ],
)
def test_backbones_from_stride_4_on_learn(task, name, options, scene):
    torch.manual_seed(0)
    model = create_downstream(task, name, num_classes=3, settings=SMALL[task], **options).train()
    images, targets = scene
    labels = torch.stack([one["label_map"] for one in targets])
    losses = model.losses(images, labels if task == "semantic_fpn" else targets)
    assert all(loss.isfinite() for loss in losses.values())
    sum(losses.values()).backward()
    assert [key for key, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


@pytest.mark.parametrize("mixer", ["identity", "dy_conv", "without_lkp"])
def test_every_mixer_and_size_can_be_chosen(mixer):
    torch.manual_seed(0)
    model = create_downstream(
        "retinanet", "lsnet_nano", num_classes=2, mixer=mixer, settings=SMALL["retinanet"], **NANO
    )
    (found,) = model.predict(torch.zeros(1, 3, 64, 96), [(60, 90)], [(30, 45)])
    assert set(found) == {"boxes", "scores", "labels"}


def test_a_classifiers_weights_become_the_backbones(tmp_path):
    torch.manual_seed(0)
    classifier = create_model("lsnet_nano", num_classes=10, **NANO)
    path = tmp_path / "classifier.pth"
    torch.save({"model": classifier.state_dict()}, path)
    model = create_downstream(
        "semantic_fpn",
        "lsnet_nano",
        num_classes=2,
        backbone_checkpoint=str(path),
        settings=SMALL["semantic_fpn"],
        **NANO,
    )
    own = classifier.state_dict()
    found = {
        key.removeprefix("backbone.model."): t for key, t in model.state_dict().items() if "backbone" in key
    }
    assert found
    assert all(torch.equal(own[key], tensor) for key, tensor in found.items())


def test_the_tables_of_a_classifier_are_resized_once_on_loading(tmp_path):
    classifier = create_model("lsnet_nano", num_classes=10, **NANO)
    path = tmp_path / "classifier.pth"
    torch.save(classifier.state_dict(), path)
    model = create_downstream(
        "retinanet", "lsnet_nano", num_classes=2, backbone_checkpoint=str(path), **{**NANO, "img_size": 896}
    )
    assert {m.attention_biases.shape[1] for m in attentions(model)} == {196}


def test_all_weights_come_from_one_file(small_model, tmp_path):
    model = small_model("maskrcnn")
    path = tmp_path / "all.pth"
    torch.save(model.state_dict(), path)
    torch.manual_seed(9)
    again = create_downstream(
        "maskrcnn", "lsnet_nano", num_classes=3, checkpoint=path, settings=SMALL["maskrcnn"], **NANO
    )
    assert all(torch.equal(t, model.state_dict()[name]) for name, t in again.state_dict().items())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mask_rcnn", "lsnet_nano"), "unknown task 'mask_rcnn'; expected one of retinanet, .*maskrcnn"),
        (("retinanet", "vit_tiny_patch16_224"), "^model 'vit_tiny_patch16_224'.* need four maps"),
        (("retinanet", "efficientvit_m4"), "^model 'efficientvit_m4'.* strides 16, 32, 64$"),
        (("retinanet", "no_such_model"), "unknown model 'no_such_model'"),
    ],
)
def test_wrong_names_are_told_in_one_line(arguments, message):
    with torch.device("meta"), pytest.raises(ConfigError, match=message) as caught:
        create_downstream(*arguments, num_classes=3)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("num_classes", [0, -1, True, 2.5, "80"])
def test_classes_are_counted(num_classes):
    with pytest.raises(ConfigError, match="num_classes must be a positive whole number"):
        create_downstream("retinanet", "lsnet_nano", num_classes=num_classes)


def test_settings_are_those_of_the_task():
    with pytest.raises(ConfigError, match="maskrcnn needs MaskRCNNSettings, got RetinaNetSettings"):
        create_downstream("maskrcnn", "lsnet_nano", num_classes=2, settings=RetinaNetSettings())


def test_options_of_the_backbone_are_checked():
    with pytest.raises(ConfigError, match="expected one of table, matrix as 'bias_resize'"):
        create_downstream("retinanet", "lsnet_nano", num_classes=2, bias_resize="grid")
