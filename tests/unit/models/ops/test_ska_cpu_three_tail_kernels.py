import pytest
import torch

from lsbench.models.ops import ska_cpu, ska_cpu_kernels, ska_cpu_three_tail_kernels

EPSILONS = (1e-5, 1e-3)


@pytest.fixture
def tail_of(inputs):
    def made(*, parameters=None, channels=36, groups=12, **sizes):
        x, weight, _ = inputs(channels=channels, groups=groups, **sizes)
        generator, dtype = torch.Generator().manual_seed(1), parameters or x.dtype

        def numbers(count):
            return torch.randn(count, generator=generator).to(dtype)

        raw = weight.flatten(1, 2) * 3 + 0.5
        affine = numbers(raw.shape[1]), numbers(raw.shape[1])
        norm = numbers(channels), numbers(channels), numbers(channels), numbers(channels).abs() + 0.1
        return x, raw, affine, norm, EPSILONS, groups

    return made


def by_the_loops_for_any_kernel(arguments, monkeypatch):
    described = ska_cpu._described
    with monkeypatch.context() as patch:
        patch.setattr(ska_cpu, "_described", lambda *args: described(*args)._replace(like=None))
        return ska_cpu.tail(*arguments)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize(
    ("dtype", "parameters"),
    [(torch.float32, torch.float32), (torch.bfloat16, torch.bfloat16), (torch.bfloat16, torch.float32)],
    ids=str,
)
@pytest.mark.parametrize("size", [(5, 7), (1, 8), (8, 1), (14, 14)], ids=str)
def test_no_bit_differs_from_the_loops_for_any_kernel(tail_of, monkeypatch, layout, dtype, parameters, size):
    arguments = tail_of(height=size[0], width=size[1], dtype=dtype, parameters=parameters, layout=layout)
    expected = by_the_loops_for_any_kernel(arguments, monkeypatch)
    monkeypatch.delattr(ska_cpu_kernels, f"tail_{layout}")
    found = ska_cpu.tail(*arguments)
    assert found.stride() == expected.stride()
    assert torch.equal(found, expected)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_two_threads_share_the_work_and_change_no_bit(tail_of, monkeypatch, layout):
    arguments = tail_of(batch=3, height=14, width=14, dtype=torch.float32, layout=layout)
    monkeypatch.setattr(ska_cpu, "GRAIN", 1000)
    before = torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(ska_cpu.tail(*arguments))
    torch.set_num_threads(before)
    assert torch.equal(*found)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_what_lies_around_a_tensor_in_memory_changes_nothing(tail_of, layout):
    x, raw, *rest = tail_of(dtype=torch.float32, height=5, width=7, layout=layout)
    expected, guarded = ska_cpu.tail(x, raw, *rest), []
    for tensor in (x, raw):
        around = torch.full((tensor.numel() + 128,), float("nan"))
        guarded.append(around[64 : 64 + tensor.numel()].as_strided(tensor.shape, tensor.stride()))
        guarded[-1].copy_(tensor)
    assert torch.equal(ska_cpu.tail(*guarded, *rest), expected)


def test_other_kernels_small_planes_and_parameters_of_two_dtypes_are_left_to_the_general_loops(
    tail_of, monkeypatch
):
    for name in ("tail_nchw", "tail_nhwc"):
        monkeypatch.delattr(ska_cpu_three_tail_kernels, name)
    for layout in ("nchw", "nhwc"):
        ska_cpu.tail(*tail_of(kernel=5, dtype=torch.float32, layout=layout))
    ska_cpu.tail(*tail_of(height=2, width=2, dtype=torch.float32))
    x, raw, affine, norm, *rest = tail_of(dtype=torch.float32)
    found = ska_cpu.tail(x, raw, tuple(t.double() for t in affine), norm, *rest)
    torch.testing.assert_close(found, by_the_loops_for_any_kernel((x, raw, affine, norm, *rest), monkeypatch))
