import pytest
import timm
import torch
from torch import nn

from lsbench.core.errors import ConfigError
from lsbench.models.downstream.model import four_maps, has_inner_model, scale_of

from .conftest import SMALL


class Maps(nn.Module):
    """A feature extractor of another package, which knows its maps as timm's do."""

    def __init__(self, strides):
        super().__init__()
        self.feature_info = self
        self.strides = strides

    def reduction(self):
        return self.strides

    def channels(self):
        return [10 * stride for stride in self.strides]


@pytest.mark.parametrize("strides", [(4, 8, 16, 32), (8, 16, 32, 64)])
def test_four_maps_from_stride_4_or_8_on_are_taken(strides):
    assert four_maps(Maps(list(strides))) == ((0, 1, 2, 3), tuple(10 * s for s in strides), strides)


def test_finer_maps_before_them_are_left_out():
    assert four_maps(Maps([2, 4, 8, 16, 32])) == ((1, 2, 3, 4), (40, 80, 160, 320), (4, 8, 16, 32))


@pytest.mark.parametrize(
    "strides", [(16, 16, 16, 16), (16, 32, 64), (4, 8, 16), (4, 8, 16, 16), (2, 4, 8, 16), (4, 8, 16, 32, 64)]
)
def test_other_maps_are_told_in_one_line(strides):
    with pytest.raises(ConfigError, match=f"gives maps of strides {', '.join(map(str, strides))}$"):
        four_maps(Maps(list(strides)))


@pytest.mark.parametrize("name", ["resnet18", "swin_tiny_patch4_window7_224"])
def test_maps_with_channels_last_or_from_stride_2_on_work(name):
    from lsbench.models import create_downstream

    model = create_downstream("semantic_fpn", name, num_classes=2)
    assert model.strides == (4, 8, 16, 32)
    sizes = [tuple(one.shape[1:]) for one in model.eval().pyramid(torch.zeros(1, 3, 224, 224))]
    assert sizes == [(256, 56, 56), (256, 28, 28), (256, 14, 14), (256, 7, 7)]


def test_normalisations_of_a_backbone_with_weights_keep_their_statistics(small_model, scene):
    for norm_eval in (True, False):
        model = small_model("maskrcnn")
        model.norm_eval = norm_eval
        assert model.train() is model
        modes = {m.training for m in model.backbone.modules() if isinstance(m, nn.BatchNorm2d)}
        assert modes == {not norm_eval}
        assert model.neck.training
        assert all(p.requires_grad for p in model.parameters())
    assert not any(m.training for m in model.eval().modules())


def test_the_attention_biases_alone_are_not_decayed(small_model):
    model = small_model("retinanet")
    names = {name for name, _ in model.named_parameters() if name.endswith("attention_biases")}
    assert len(names) == 1
    assert model.no_weight_decay() == names


@pytest.mark.parametrize("was_training", [True, False])
def test_predicting_leaves_mode_and_statistics_as_they_were(small_model, was_training):
    model = small_model("retinanet").train(was_training)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    (found,) = model.predict(torch.zeros(1, 3, 64, 64), [(64, 64)], [(32, 32)])
    assert not found["scores"].requires_grad
    assert model.training is was_training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_both_sides_have_their_own_scale():
    scale = scale_of((800, 1067), (480, 640), torch.zeros(1))
    assert scale.dtype == torch.float32
    assert scale.tolist() == pytest.approx([1067 / 640, 800 / 480] * 2)


def test_a_model_may_be_inside_its_extractor():
    assert has_inner_model(timm.create_model("lsnet_nano", features_only=True))
    assert not has_inner_model(Maps([4]))


@pytest.mark.gpu
@pytest.mark.parametrize("task", SMALL)
def test_a_gpu_finds_and_trains_what_a_cpu_does(small_model, scene, task):
    images, targets = scene
    model, sizes = small_model(task).eval(), ([(60, 80), (64, 96)], [(30, 40), (64, 96)])
    on_cpu = model.predict(images, *sizes)
    on_gpu = model.cuda().predict(images.cuda(), *sizes)
    for one, other in zip(on_cpu, on_gpu, strict=True):
        assert {name: tensor.shape for name, tensor in one.items()} == {
            name: tensor.shape for name, tensor in other.items()
        }
        if "scores" in one:
            torch.testing.assert_close(other["scores"].cpu(), one["scores"], rtol=0, atol=1e-3)
    moved = [
        {name: value.cuda() if isinstance(value, torch.Tensor) else value for name, value in target.items()}
        for target in targets
    ]
    if task == "semantic_fpn":
        moved = torch.stack([target["label_map"] for target in moved])
    losses = model.train()(images.cuda(), moved)
    sum(losses.values()).backward()
    assert all(loss.is_cuda and loss.isfinite() for loss in losses.values())
