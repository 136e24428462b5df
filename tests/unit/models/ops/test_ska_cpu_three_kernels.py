import pytest
import torch

from lsbench.models.ops import ska_cpu, ska_cpu_three_kernels


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [(5, 7), (1, 8), (8, 1)], ids=str)
def test_no_bit_differs_from_the_loops_for_any_kernel(inputs, monkeypatch, layout, dtype, size):
    sizes = {"channels": 36, "groups": 12, "height": size[0], "width": size[1]}
    x, weight, upstream = inputs(**sizes, dtype=dtype, layout=layout)

    def computed():
        return ska_cpu.forward(x, weight, 3), *ska_cpu.backward(upstream, x, weight, 3)

    found, described = computed(), ska_cpu._described
    monkeypatch.setattr(ska_cpu, "_described", lambda *args: described(*args)._replace(like=None))
    monkeypatch.delattr(ska_cpu_three_kernels, f"forward_{layout}")
    for one, other in zip(found, computed(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_no_gradient_depends_on_what_lies_around_a_tensor_in_memory(inputs, monkeypatch, layout):
    tensors = inputs(channels=24, groups=8, dtype=torch.float32, layout=layout)
    expected = ska_cpu.backward(tensors[2], *tensors[:2], 3)
    guarded = []
    for tensor in tensors:
        around = torch.full((tensor.numel() + 128,), float("nan"))
        guarded.append(around[64 : 64 + tensor.numel()].as_strided(tensor.shape, tensor.stride()))
        guarded[-1].copy_(tensor)
    for one, other in zip(ska_cpu.backward(guarded[2], *guarded[:2], 3), expected, strict=True):
        assert torch.equal(one, other)


def test_other_kernels_small_planes_and_weights_plane_by_plane_are_left_to_the_general_loops(
    inputs, monkeypatch
):
    for name in ("forward_nchw", "forward_nhwc"):
        monkeypatch.delattr(ska_cpu_three_kernels, name)
    for layout, kernel, size in (("nchw", 5, 4), ("nhwc", 5, 4), ("nchw", 3, 2)):
        x, weight, _ = inputs(channels=8, groups=8, kernel=kernel, height=size, width=size, layout=layout)
        ska_cpu.forward(x, weight, kernel)
    x, _, _ = inputs(channels=8, groups=8, layout="nhwc")
    ska_cpu.forward(x, inputs(channels=8, groups=8)[1], 3)
