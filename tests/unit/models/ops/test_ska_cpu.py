import multiprocessing
import threading

import pytest
import torch

from lsbench.models.ops import ska_cpu


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def work(layout, inputs, **sizes):
    x, weight, upstream = inputs(
        **{"batch": 3, "channels": 48, "groups": 8, "height": 15, "width": 14, **sizes},
        dtype=torch.float32,
        layout=layout,
    )
    return lambda: (ska_cpu.forward(x, weight, 3), *ska_cpu.backward(upstream, x, weight, 3))


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_two_threads_share_the_work_and_change_no_bit(inputs, two_threads, monkeypatch, layout):
    monkeypatch.setattr(ska_cpu, "GRAIN", 1000)
    run = work(layout, inputs)
    shared = run()
    assert any(thread.name.startswith("ska") for thread in threading.enumerate())
    torch.set_num_threads(1)
    for together, alone in zip(shared, run(), strict=True):
        assert torch.equal(together, alone)


def test_a_small_job_starts_no_thread(inputs, two_threads, monkeypatch):
    asked = []
    monkeypatch.setattr(ska_cpu, "_pool", asked.append)
    work("nchw", inputs, batch=1, height=4, width=4)()
    assert asked == []


def in_a_child(connection, x, weight):
    connection.send(ska_cpu.forward(x, weight, 3).sum().item())


def test_a_forked_process_starts_threads_of_its_own(inputs, two_threads, monkeypatch):
    monkeypatch.setattr(ska_cpu, "GRAIN", 1000)
    x, weight, _ = inputs(channels=48, groups=8, height=16, width=16, dtype=torch.float32)
    expected = ska_cpu.forward(x, weight, 3).sum().item()
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=in_a_child, args=(there, x, weight))
    child.start()
    assert here.poll(60)
    assert here.recv() == pytest.approx(expected, rel=1e-5)
    child.join(60)
    assert child.exitcode == 0


def test_an_error_in_a_second_thread_is_raised(inputs, two_threads, monkeypatch):
    def broken(*arguments):
        if arguments[-2] > 0:
            raise RuntimeError("in the second half")

    x, weight, _ = inputs(channels=48, groups=8, height=16, width=16, dtype=torch.float32)
    monkeypatch.setattr(ska_cpu, "GRAIN", 1000)
    monkeypatch.setattr("lsbench.models.ops.ska_cpu_three_kernels.forward_nchw", broken)
    with pytest.raises(RuntimeError, match="in the second half"):
        ska_cpu.forward(x, weight, 3)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("groups", [3, 8])
def test_the_tail_is_norm_aggregation_norm_and_residual(inputs, definition, layout, dtype, groups):
    x, weight, _ = inputs(channels=2 * groups, groups=groups, dtype=dtype, layout=layout)
    raw = weight.flatten(1, 2)
    generator = torch.Generator().manual_seed(1)
    affine = tuple(torch.rand(raw.shape[1], generator=generator).to(dtype) + 0.5 for _ in range(2))
    norm = tuple(torch.rand(x.shape[1], generator=generator).to(dtype) + 0.5 for _ in range(4))
    found = ska_cpu.tail(x, raw, affine, norm, (1e-5, 1e-3), groups)
    a, b = (t.double() for t in affine)
    scale, bias, mean, variance = (t.double()[:, None, None] for t in norm)
    normal = torch.nn.functional.group_norm(raw.double(), groups, a, b, 1e-5).view(weight.shape)
    expected = (definition(x, normal) - mean) / (variance + 1e-3).sqrt() * scale + bias + x.double()
    tolerance = {torch.float32: 1e-5, torch.bfloat16: 1e-2, torch.float16: 2e-3}[dtype]
    assert found.stride() == x.stride()
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)
