"""Speed of SKA on a CUDA GPU: our Triton programs, shifted views, compiled views, and the memory floor.

First the operator at LSNet's shapes, forward and with both gradients, then whole fused models. The floor is
the time to touch features, weights and result once at the measured bandwidth of a large copy; with gradients,
it also reads the result's gradient and touches features and weights again. Run on an idle GPU:

    python benchmarks/ska_gpu.py [--channels-last] [--dtypes float16] [--batches 1 256] [--models lsnet_t]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from lsbench.models.factory import create_model
from lsbench.models.fusion import fuse
from lsbench.models.ops.ska import ska, ska_backend
from lsbench.models.ops.ska_reference import ska_reference

#: Channels, height and width of the feature maps, per LSNet model at 224 pixels.
SHAPES = {
    "lsnet_t": ((128, 14), (256, 7)),
    "lsnet_s": ((192, 14), (320, 7)),
    "lsnet_b": ((128, 28), (256, 14), (384, 7)),
}
USERS, TAPS = 8, 9


def milliseconds(function: Callable[..., object], *arguments: object) -> float:
    """Return the median time of a call on the GPU, with its caches flushed before each call."""
    from triton.testing import do_bench

    return float(do_bench(lambda: function(*arguments), return_mode="median"))


def copy_bandwidth() -> float:
    """Return the bandwidth of a copy larger than any cache, in bytes per millisecond read and written."""
    source = torch.empty(2**29, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.numel() / milliseconds(target.copy_, source)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` compiled for a single fixed shape."""
    torch.compiler.reset()
    return torch.compile(function, dynamic=False)


def operator_row(shape: tuple[int, int], batch: int, dtype: torch.dtype, args: argparse.Namespace) -> str:
    """Return forward times and times with both gradients, in microseconds."""
    channels, side = shape
    x = torch.randn(batch, channels, side, side, device="cuda", dtype=dtype)
    weight = torch.randn(batch, channels // USERS * TAPS, side, side, device="cuda", dtype=dtype)
    if args.channels_last:
        x, weight = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (x, weight))
    weight = weight.view(batch, channels // USERS, TAPS, side, side)
    floor = (2 * x.numel() + weight.numel()) * x.element_size() / args.bandwidth
    floor_trained = floor + (3 * x.numel() + 2 * weight.numel()) * x.element_size() / args.bandwidth
    times = [floor, *(milliseconds(function, x, weight) for function in (ska, ska_reference))]
    times.append(milliseconds(compiled(ska_reference), x, weight))
    x.requires_grad_()
    weight.requires_grad_()
    grad = torch.randn_like(x)

    def train(function: Callable[[Tensor, Tensor], Tensor]) -> object:
        return torch.autograd.grad(function(x, weight), (x, weight), grad)

    times += [floor_trained, *(milliseconds(train, function) for function in (ska, ska_reference))]
    times.append(milliseconds(train, compiled(ska_reference)))
    return "".join(f"{1000 * time:10.1f}" for time in times)


def model_row(name: str, batch: int, dtype: torch.dtype, args: argparse.Namespace) -> str:
    """Return images per second: eager and compiled with the Triton kernels, compiled with shifted views."""
    format_ = torch.channels_last if args.channels_last else torch.contiguous_format
    model = fuse(create_model(name, num_classes=1000, img_size=224)).to("cuda", dtype, memory_format=format_)
    images = torch.randn(batch, 3, 224, 224, device="cuda", dtype=dtype).contiguous(memory_format=format_)
    with torch.inference_mode():
        times = [milliseconds(model, images), milliseconds(compiled(model), images)]
        with ska_backend("reference"):
            times.append(milliseconds(compiled(model), images))
    return "".join(f"{1000 * batch / time:12.0f}" for time in times)


def settings(args: argparse.Namespace) -> Iterator[tuple[torch.dtype, int]]:
    """Yield every combination of dtype and batch size."""
    for name in args.dtypes:
        for batch in args.batches:
            yield getattr(torch, name), batch


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--channels-last", action="store_true", help="use channels_last for images and features"
    )
    parser.add_argument("--dtypes", nargs="+", default=["float32", "float16", "bfloat16"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 32, 256])
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=list(SHAPES))
    args = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("ska_gpu: expected a CUDA device, torch found none; run it on a machine with a GPU")
    args.bandwidth = copy_bandwidth()
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, copy {args.bandwidth / 1e9:.2f} TB/s")
    columns = "".join(f"{word:>10}" for word in ("floor", "triton", "shifts", "compiled"))
    print(f"\n{'':<32}{'forward':>40}{'with gradients':>40}\n{'SKA, us':<32}{columns}{columns}")
    for dtype, batch in settings(args):
        for shape in sorted({shape for name in args.models for shape in SHAPES[name]}):
            label = f"{str(dtype)[6:]} {batch} x {shape[0]} x {shape[1]} x {shape[1]}"
            print(f"{label:<32}{operator_row(shape, batch, dtype, args)}", flush=True)
    print(f"\n{'images/s':<32}{'triton':>12}{'+ compile':>12}{'shifts + c.':>12}")
    for dtype, batch in settings(args):
        for name in args.models:
            label = f"{name} {str(dtype)[6:]} batch {batch}"
            print(f"{label:<32}{model_row(name, batch, dtype, args)}", flush=True)


if __name__ == "__main__":
    main()
