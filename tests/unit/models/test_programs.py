import pytest
import torch
from torch import nn

from lsbench.core.errors import ConfigError, UsageError
from lsbench.models import programs
from lsbench.models.factory import create_model
from lsbench.models.fusion import fuse


@pytest.fixture
def make_model():
    """Return a model by name, with weights of a seed."""

    def make(name="lsnet_nano", **arguments):
        torch.manual_seed(0)
        return create_model(name, num_classes=5, img_size=32, **arguments).eval()

    return make


@pytest.fixture
def images():
    return torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize("is_fused", [False, True])
def test_own_operators_take_their_plain_form(make_model, images, is_fused):
    model = make_model(mixer="ls_conv")
    expected = model(images)
    program = programs.trace(fuse(model) if is_fused else model, images, name="a")
    operators = {str(node.target) for node in program.graph.nodes}
    assert not [name for name in operators if name.startswith("lsbench")]
    assert all("stack_trace" not in node.meta for node in program.graph.nodes)
    found = programs.run_pt2(programs.to_pt2(program), images)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_onnx_has_the_stated_opset_and_names(make_model, images):
    import onnx

    model = make_model(mixer="identity")
    content = programs.to_onnx(programs.trace(model, images, name="a"), name="a")
    read = onnx.load_model_from_string(content)
    assert [(one.domain, one.version) for one in read.opset_import] == [("", programs.OPSET)]
    assert [one.name for one in (*read.graph.input, *read.graph.output)] == ["images", "logits"]
    torch.testing.assert_close(programs.run_onnx(content, images), model(images), rtol=1e-4, atol=1e-5)


def test_a_program_for_any_size_takes_any(make_model, images):
    model = make_model(embed_dims=(8,) * 4, depths=(0, 0, 0, 2), num_heads=1, key_dim=4)
    program = programs.trace(model, images, name="a", any_size=True)
    content = programs.to_pt2(program)
    for size in ((1, 3, 32, 32), (3, 3, 50, 99)):  # the last map of the first has one pixel
        x = torch.randn(size, generator=torch.Generator().manual_seed(1))
        found = programs.run_pt2(content, x)
        torch.testing.assert_close(found, model(x), rtol=1e-4, atol=1e-5)


def test_a_model_of_one_size_is_refused_for_any(make_model, images):
    model = make_model("deit_tiny_ls", mixer="identity")
    with pytest.raises(ConfigError, match=r"^a: .* for images of any size: .*Input height [^\n]*$"):
        programs.trace(model, images, name="a", any_size=True)


@torch.library.custom_op("test_programs::twice", mutates_args=())
def twice(x: torch.Tensor) -> torch.Tensor:
    return 2 * x


@twice.register_fake
def _(x):
    return torch.empty_like(x)


class Foreign(nn.Module):
    def forward(self, x):
        return twice(x)


class Depends(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Foreign(), "^a: expected operators of torch, found test_programs::twice; register their plain form"),
        (Depends(), r"^a: torch.export cannot trace this model: [^\n]+$"),
    ],
)
def test_what_a_program_cannot_hold_is_one_line(model, message, images):
    with pytest.raises(ConfigError, match=message):
        programs.trace(model, images, name="a")


def test_missing_packages_are_named_with_the_cure(monkeypatch):
    monkeypatch.setattr(programs, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(UsageError, match=r'packages onnxscript, found none; pip install "lsbench\[onnx\]"$'):
        programs.check_onnx_packages()


def test_a_model_too_large_for_a_file_of_onnx_is_one_line(make_model, images, monkeypatch):
    program = programs.trace(make_model("resnet18"), images, name="a")
    monkeypatch.setattr(programs, "MOST_ONNX_BYTES", 1000)
    with pytest.raises(ConfigError, match=r"an ONNX file holds 2 GiB, .*use --to pt2"):
        programs.to_onnx(program, name="a")
