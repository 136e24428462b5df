"""Models as ONNX files for images of any size and number: every mixer, plain, fused, and features."""

import io
import logging
import warnings

import onnxruntime
import pytest
import timm
import torch
from torch import Tensor, nn

from lsbench.core.registry import MIXERS
from lsbench.models.families.lsnet import MODELS
from lsbench.models.fusion import fuse
from lsbench.models.token_mixer import create_mixer

OPEN = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
#: Of maps for a mixer: windows of 7 pixels fit, fit with padding, or are not full; one side of one pixel.
MAPS = [(2, 10, 12), (1, 7, 7), (3, 17, 5), (1, 1, 9), (2, 8, 15)]
#: Of images: square and not, odd, and so small that the last map has sides of one pixel.
PHOTOS = [(2, 64, 96), (1, 48, 48), (3, 57, 33), (1, 17, 90), (2, 130, 71)]


def lively(model: nn.Module) -> nn.Module:
    """Return a model in evaluation mode whose branches and biases all count; at the start some are zero."""
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if name.endswith("attention_biases"):
            nn.init.normal_(parameter)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.uniform_(module.weight, 0.4, 0.6)
            nn.init.uniform_(module.running_var, 0.75, 1.25)
    return model.eval().requires_grad_(False)


def write(model: nn.Module, example: Tensor, *, dynamo: bool = True) -> onnxruntime.InferenceSession:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            program = torch.onnx.export(model, (example,), dynamo=True, verbose=False, dynamic_shapes=(OPEN,))
            program.save(file)
        else:
            axes = {"x": {0: "number", 2: "height", 3: "width"}}
            torch.onnx.export(model, (example,), file, dynamo=False, input_names=["x"], dynamic_axes=axes)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(file.getvalue(), options)


def compare(session: onnxruntime.InferenceSession, model: nn.Module, sizes: list[tuple[int, ...]]) -> None:
    (given,) = session.get_inputs()
    for number, *size in sizes:
        x = torch.randn(number, given.shape[1], *size, generator=torch.Generator().manual_seed(1))
        expected = model(x)
        found = session.run(None, {given.name: x.numpy()})
        for one, other in zip(found, expected if isinstance(expected, list) else [expected], strict=True):
            scale = float(other.abs().max())
            torch.testing.assert_close(torch.from_numpy(one), other, rtol=0, atol=1e-5 * scale)


@pytest.fixture(autouse=True)
def _quiet():
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def mixer(name: str) -> nn.Module:
    torch.manual_seed(0)
    return lively(create_mixer(name, 32))


@pytest.mark.parametrize("name", MIXERS.own_names())
def test_the_exporter_without_dynamo_writes_every_mixer(name):
    model = mixer(name)
    compare(write(model, torch.randn(2, 32, 10, 12), dynamo=False), model, MAPS)


@pytest.mark.parametrize("name", ["aff", "lsra", "dcd", pytest.param("swin", marks=pytest.mark.slow)])
def test_mixers_that_depend_on_sizes_take_any(name):
    model = mixer(name)
    # Full windows: their size is also that of the table of biases.
    compare(write(model, torch.randn(2, 32, 14, 21)), model, MAPS)


@pytest.mark.parametrize(
    "dynamo", [pytest.param(True, marks=pytest.mark.slow, id="dynamo"), pytest.param(False, id="traced")]
)
def test_the_smallest_model_takes_any_size(dynamo):
    model = fuse(lively(timm.create_model("lsnet_nano", num_classes=5, img_size=32)))
    compare(write(model, torch.randn(2, 3, 64, 96), dynamo=dynamo), model, PHOTOS)


def test_an_example_that_is_too_small_for_the_exporter_is_refused():
    model = timm.create_model("lsnet_nano", img_size=32, mixer="identity", depths=(0, 0, 0, 0)).eval()
    with pytest.raises(ValueError, match=r"found one of \(1, 1\); take larger images"):
        torch.export.export(model, (torch.zeros(2, 3, 32, 32),), dynamic_shapes=(OPEN,))


# --- everything --------------------------------------------------------------------------------------------


def form_of(name: str, form: str, **options) -> nn.Module:
    """Return a model plain, fused, or as a feature extractor, plain or fused."""
    torch.manual_seed(0)
    made = {"features_only": True} if "features" in form else {"num_classes": 5}
    model = lively(timm.create_model(name, **made, **options))
    return fuse(model) if "fused" in form else model


@pytest.mark.slow
@pytest.mark.parametrize("name", MIXERS.own_names())
@pytest.mark.parametrize("form", ["plain", "fused"])
def test_every_mixer_in_a_model(name, form):
    sizes = {"img_size": 32, "embed_dims": (32,) * 4, "depths": (0, 2, 0, 0)}
    model = form_of("lsnet_nano", form, mixer=name, **sizes)
    # The mixer sees a map of one pixel.
    compare(write(model, torch.randn(1, 3, 8, 8)), model, PHOTOS)


#: A block of each kind in each stage that has one; the full depth repeats them.
DEPTHS = {"lsnet_t": (0, 2, 2, 2), "lsnet_s": (1, 2, 2, 2)}
#: A second head adds nothing to features.
FORMS = {False: ["plain", "fused", "features", "fused_features"], True: ["plain", "fused"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "form"), [(name, form) for name in MODELS for form in FORMS[name.endswith("_distill")]]
)
def test_every_model_in_every_form(name, form):
    model = form_of(name, form, depths=DEPTHS.get(name.removesuffix("_distill"), (2, 2, 2, 2)))
    # The last map has one pixel.
    compare(write(model, torch.randn(1, 3, 32, 32)), model, PHOTOS)
