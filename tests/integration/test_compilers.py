"""LSNet through torch.compile, torch.export and ONNX: nano in the plain run, T, S and B in the slow one."""

import io

import onnxruntime
import pytest
import torch

from lsbench.models.factory import create_model

LARGE = ("lsnet_t", "lsnet_s", "lsnet_b")
NAMES = ["lsnet_nano", *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)]


@pytest.fixture(scope="module")
def images():
    return torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=[False, True], ids=["plain", "fused"])
def is_fused(request):
    return request.param


def build(name, is_fused):
    """A model whose branches all count: those that start as zero are given weights."""
    torch.manual_seed(0)
    model = create_model(name, num_classes=1000, img_size=224).eval()
    for module in model.modules():
        if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.BatchNorm1d)):
            torch.nn.init.uniform_(module.weight, 0.45, 0.55)
            torch.nn.init.uniform_(module.running_var, 0.75, 1.25)
    return (model.fuse() if is_fused else model).requires_grad_(False)


def close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lsnet_t", "lsnet_s", "lsnet_b"])
def test_compiles_whole(name, is_fused, images):
    torch.compiler.reset()
    model = build(name, is_fused)
    with torch.no_grad():
        close(torch.compile(model, fullgraph=True)(images), model(images))


@pytest.mark.slow
def test_trains_compiled_as_it_does_eager(images):
    torch.compiler.reset()
    gradients = []
    for compiler in (lambda m: m, lambda m: torch.compile(m, fullgraph=True)):
        model = build("lsnet_t", False).double().requires_grad_(True).train()
        compiler(model)(images.double()).square().mean().backward()
        gradients.append({key: p.grad for key, p in model.named_parameters()})
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_exports_and_runs_in_onnx(name, is_fused, images):
    model = build(name, is_fused)
    program = torch.export.export(model, (images,))
    targets = {str(node.target) for node in program.graph.nodes}
    assert targets & {"lsbench.ska.default", "lsbench.ska_tail.default"}
    expected = model(images)
    close(program.module()(images), expected)
    file = io.BytesIO()
    torch.onnx.export(program, dynamo=True, verbose=False).save(file)
    session = onnxruntime.InferenceSession(file.getvalue())
    (found,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    close(torch.from_numpy(found), expected)
