"""Every token mixer and every model of lsbench under torch.fx and torch.func, with equal values."""

import pytest
import timm
import torch
from torch import nn
from torch.func import functional_call, grad, jvp, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torchvision.models.feature_extraction import create_feature_extractor

from lsbench.core.registry import MIXERS
from lsbench.models.backbone import LSNet, LSNetDistilled
from lsbench.models.factory import PLUGGABLE_MODELS, create_model
from lsbench.models.fusion import fuse
from lsbench.models.ops.suited import loops_if
from lsbench.models.packed_conv import pack
from lsbench.testing.test_mixer import build, images

SMALL = {"img_size": 32, "stem_stride": 2, "embed_dims": (32,) * 4, "depths": (0, 2, 0, 2), "num_classes": 5}

mixers = pytest.mark.parametrize("mixer", MIXERS.own_names())


def lively(model: nn.Module) -> nn.Module:
    """Return a model in evaluation mode whose branches all count; at the start some are zero."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.uniform_(module.weight, 0.4, 0.6, generator=generator)
            nn.init.uniform_(module.running_var, 0.75, 1.25, generator=generator)
    return model.eval()


def small(mixer: str, kind: type[LSNet] = LSNet) -> LSNet:
    torch.manual_seed(0)
    return lively(kind(**SMALL, mixer=mixer))


def photos(side: int = 48, batch: int = 2) -> torch.Tensor:
    """Images of another size than the models', so that biases are resized when the graph runs."""
    return torch.randn(batch, 3, side, 32, generator=torch.Generator().manual_seed(1))


@mixers
@pytest.mark.parametrize("is_fused", [False, True], ids=["plain", "fused"])
def test_a_graph_of_fx_gives_the_models_values(mixer, is_fused):
    model = fuse(small(mixer)) if is_fused else small(mixer)
    traced = torch.fx.symbolic_trace(model)
    with torch.no_grad():
        for side in (32, 48):
            assert torch.equal(traced(photos(side)), model(photos(side)))


@mixers
def test_a_graph_of_fx_trains_as_the_model_does(mixer):
    model = small(mixer, LSNetDistilled).train()
    traced = torch.fx.symbolic_trace(model)
    gradients = []
    for one in (model, traced):
        model.zero_grad()
        with loops_if(False):  # a graph's steps are torch's alone
            one(photos()).square().sum().backward()
        gradients.append({name: p.grad.clone() for name, p in model.named_parameters()})
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0, atol=0)


@mixers
def test_torchvision_extracts_features(mixer):
    model, x = small(mixer), photos()
    extractor = create_feature_extractor(model, {f"blocks{number}": f"stage{number}" for number in (2, 3, 4)})
    with torch.no_grad():
        found = extractor.eval()(x)
        expected = model.forward_intermediates(x, [1, 2, 3], intermediates_only=True)
    for a, b in zip(found.values(), expected, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", PLUGGABLE_MODELS)
@torch.no_grad()
def test_every_model_and_its_features_are_traced_by_all_three(name):
    torch.manual_seed(0)
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    model = lively(create_model(name, num_classes=5, img_size=64))
    assert torch.equal(torch.fx.symbolic_trace(model)(x), model(x))
    info = model.feature_info
    last = str((info[-1] if isinstance(info, list) else info.info[-1])["module"])
    for extract in (create_feature_extractor, timm.models.create_feature_extractor):
        assert extract(model, [last]).eval()(x)[last].isfinite().all()
    options = {} if name == "resnet50_ls" else {"img_size": 64}
    features = lively(timm.create_model(name, features_only=True, **options))
    for found, expected in zip(torch.fx.symbolic_trace(features)(x), features(x), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("prepare", [fuse, lambda model: pack(fuse(model))], ids=["fused", "packed"])
@pytest.mark.parametrize(
    ("name", "options"), [("lsnet_nano", {}), ("deit_tiny_ls", {"depth": 2}), ("resnet50_ls", {})]
)
@torch.no_grad()
def test_torchscript_of_a_fused_model_gives_its_values(name, options, prepare):
    torch.manual_seed(0)
    model = prepare(lively(create_model(name, num_classes=5, img_size=32, **options)))
    traced = torch.jit.trace(model, photos(32))
    for batch in (2, 3):
        x = photos(32, batch).flip(3)
        torch.testing.assert_close(traced(x), model(x))


@pytest.fixture(params=MIXERS.own_names())
def function(request):
    """A mixer as a function of its parameters and images, with its parameters and images."""
    module = build(request.param).double().eval()
    parameters, buffers = dict(module.named_parameters()), dict(module.named_buffers())

    def call(parameters, x):
        return functional_call(module, {**parameters, **buffers}, (x,))

    return call, parameters, images((8, 5), 2).double()


def summed(function):
    return lambda parameters, x: function(parameters, x).square().sum()


def test_gradients_of_functions_are_autograds(function):
    call, parameters, x = function
    found = grad(summed(call), argnums=(0, 1))(parameters, x)
    x.requires_grad_()
    summed(call)(parameters, x).backward()
    expected = {name: parameter.grad for name, parameter in parameters.items()}, x.grad
    torch.testing.assert_close(found, expected)


def test_gradients_of_each_image_are_those_of_it_alone(function):
    call, parameters, x = function
    found = vmap(grad(summed(call)), in_dims=(None, 0))(parameters, x[:, None])
    each = [grad(summed(call))(parameters, image[None]) for image in x]
    expected = {name: torch.stack([one[name] for one in each]) for name in parameters}
    torch.testing.assert_close(found, expected)


def test_several_mixers_run_at_once(function):
    call, parameters, x = function
    others = {name: parameter.detach() * 1.5 for name, parameter in parameters.items()}
    stacked = {name: torch.stack([one.detach(), others[name]]) for name, one in parameters.items()}
    with torch.no_grad():
        expected = torch.stack([call(parameters, x), call(others, 2 * x)])
        torch.testing.assert_close(vmap(call)(stacked, torch.stack([x, 2 * x])), expected)


def test_derivatives_along_a_direction_fit_the_gradient(function):
    call, parameters, x = function
    tangent = torch.randn(x.shape, generator=torch.Generator().manual_seed(3), dtype=x.dtype)
    loss = summed(call)
    with sdpa_kernel(SDPBackend.MATH):  # torch has no forward derivative of its fast attention
        _, found = jvp(lambda x: loss(parameters, x), (x,), (tangent,))
    torch.testing.assert_close(found, (grad(loss, argnums=1)(parameters, x) * tangent).sum())


def test_a_whole_model_is_a_function():
    model, x = fuse(small("ls_conv")).requires_grad_(False), photos()
    weights = dict(model.named_parameters())
    found = vmap(lambda x: functional_call(model, weights, (x[None],))[0])(x)
    torch.testing.assert_close(found, model(x))


def gradients_of(model: nn.Module, x: torch.Tensor, weight: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the gradient of every parameter, and the sum of the images' under an empty name."""
    model.zero_grad()
    x = x.clone().requires_grad_()
    (model(x) * weight).sum().backward()
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return {"": x.grad.sum(0), **found}


def assert_one_image_has_the_gradients_of_two_alike(
    model: nn.Module, size: tuple[int, int] = (32, 32)
) -> None:
    x = torch.randn(1, 3, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    weight = torch.randn(1, 5, dtype=torch.double, generator=torch.Generator().manual_seed(2))
    assert_alone_as_twice(model.double(), x, weight)


def assert_alone_as_twice(model: nn.Module, x: torch.Tensor, weight: torch.Tensor) -> None:
    alone = gradients_of(model, x, weight)
    two = gradients_of(model, torch.cat([x, x]), torch.cat([weight, weight]) / 2)
    torch.testing.assert_close(alone, two, rtol=1e-8, atol=1e-10)


FORMATS = [torch.contiguous_format, torch.channels_last]

formats = pytest.mark.parametrize("layout", FORMATS, ids=["nchw", "nhwc"])


@mixers
@formats
def test_one_image_alone_has_the_right_gradients(mixer, layout):
    assert_one_image_has_the_gradients_of_two_alike(small(mixer).to(memory_format=layout))


@mixers
@formats
@pytest.mark.parametrize("size", [(32, 32), (32, 144), (144, 144)], ids=str)
def test_one_image_alone_has_the_right_gradients_in_a_transformer(mixer, layout, size):
    """Patches of 16 pixels: one window of a mixer, a row of windows, and several rows."""
    torch.manual_seed(0)
    sizes = {"img_size": size, "embed_dim": 48, "depth": 2, "num_classes": 5}
    model = lively(timm.create_model("deit_tiny_ls", mixer=mixer, **sizes))
    assert_one_image_has_the_gradients_of_two_alike(model.to(memory_format=layout), size)


@mixers
@formats
@pytest.mark.parametrize("size", [(5, 5), (9, 1), (8, 9)], ids=str)
def test_a_mixer_gives_one_image_alone_the_right_gradients(mixer, layout, size):
    module = lively(build(mixer)).double()
    x = images(size, 1).to(torch.double, memory_format=layout)
    assert_alone_as_twice(module, x, x.flip(2))
