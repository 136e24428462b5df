"""Images per second of LSNet on a CPU, compared with the published form and with peers from timm.

All models run at 224 pixels with random weights, in evaluation mode, channels_last and fused: branches
merged, batch norms folded into preceding convolutions (checked against the unfused model), and the weights of
all convolutions packed once, for the peers as well as for LSNet. The rows `as published` are LSNet as its
authors run it: unfused, NCHW, SKA by unfold. Times are medians and quartiles of wall time over rounds in
which all models take turns, with glibc's default memory allocation. Compiling needs a C++ compiler. Run on an
idle machine:

    python benchmarks/models.py [--batch 32] [--threads 1] [--rounds 9] [--mode eager|compiled|bfloat16]
                                [--models lsnet_t ...] [--peers ...]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from ska import unfolded
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

import lsbench.models.perception
from lsbench.models.factory import create_model
from lsbench.models.fusion import fuse
from lsbench.models.packed_conv import pack

LSNETS = ("lsnet_t", "lsnet_s", "lsnet_b")
PEERS = (
    "mobilenetv3_large_100",
    "mobilenetv4_conv_small",
    "shvit_s1",
    "shvit_s2",
    "shvit_s3",
    "efficientvit_m4",
    "efficientvit_m5",
    "efficientvit_b0",
    "starnet_s1",
    "repvit_m0_9",
    "fastvit_t8",
    "fasternet_t0",
    "edgenext_xx_small",
    "efficientnet_b0",
    "swiftformer_xs",
)
SIZE = 224


@contextmanager
def aggregation_by_unfold() -> Iterator[None]:
    """Let models inside the block compute SKA by unfold, as in its definition."""
    module: Any = lsbench.models.perception
    ours, module.ska = module.ska, unfolded
    try:
        yield
    finally:
        module.ska = ours


def folded(model: nn.Module, image: Tensor) -> tuple[nn.Module, int]:
    """Return the model with batch norms folded into preceding convolutions, and the number of those left.

    Which reads which is seen while the model runs on `image`.
    """
    writers: dict[int, tuple[str, Tensor]] = {}
    pairs: list[tuple[str, str]] = []

    def wrote(name: str) -> Callable[..., None]:
        return lambda _module, _inputs, output: writers.update({id(output): (name, output)})

    def reads(name: str) -> Callable[..., None]:
        return lambda _module, inputs: pairs.extend((w[0], name) for w in [writers.get(id(inputs[0]))] if w)

    hooks = [m.register_forward_hook(wrote(n)) for n, m in model.named_modules() if isinstance(m, nn.Conv2d)]
    norms = [name for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)]
    hooks += [model.get_submodule(name).register_forward_pre_hook(reads(name)) for name in norms]
    with torch.no_grad():
        model(image)
    for hook in hooks:
        hook.remove()
    for conv_name, norm_name in pairs:
        conv, norm = model.get_submodule(conv_name), model.get_submodule(norm_name)
        model.set_submodule(conv_name, fuse_conv_bn_eval(conv, norm))
        # timm's batch norms may contain an activation, which stays.
        model.set_submodule(norm_name, nn.Sequential(*(m for m in [getattr(norm, "act", None)] if m)))
    return model, len(norms) - len(pairs)


def prepared(name: str, image: Tensor) -> nn.Module:
    """Return the fused model; exit if its output differs from the unfused one's."""
    model = create_model(name, num_classes=1000, img_size=SIZE).eval()
    settle(model)
    if name in LSNETS:
        found, left = fuse(model), 0
    else:
        found, left = folded(fuse(model), image)
    with torch.no_grad():
        error = (found(image) - model(image)).abs().max() / model(image).abs().max()
    if error > 1e-4:
        raise SystemExit(f"{name}: fused and unfused differ by {error:.1e}")
    if left:
        print(f"{name}: {left} batch norms stand alone")
    return found


def settle(model: nn.Module) -> None:
    """Give batch norms moderate statistics, and zero-initialised branches an effect on the output."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.uniform_(0.75, 1.25, generator=generator)  # type: ignore[union-attr]
            module.running_mean.uniform_(-0.1, 0.1, generator=generator)  # type: ignore[union-attr]
            nn.init.uniform_(module.weight, 0.45, 0.55, generator=generator)


def with_mode(model: nn.Module, mode: str, images: Tensor) -> Callable[[], Any]:
    """Return a call of the model in the given mode, in channels_last."""
    model, images = (x.to(memory_format=torch.channels_last) for x in (model, images))  # type: ignore[call-overload]
    if mode == "bfloat16":
        model, images = model.bfloat16(), images.bfloat16()
    if mode == "compiled":
        torch._inductor.config.freezing = True
        compiled = torch.compile(model, dynamic=False)
        return lambda: compiled(images)
    packed = pack(model)
    return lambda: packed(images)


def as_published(name: str, images: Tensor) -> Callable[[], Any]:
    """Return a call of the model as its authors run it."""
    model = create_model(name, num_classes=1000, img_size=SIZE).eval()

    def run() -> None:
        with aggregation_by_unfold():
            model(images)

    return run


@torch.no_grad()
def timed(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each call; the calls take turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - started)
    return times


def main() -> None:
    """Measure and print images per second, fastest first, and LSNet's speedup over its published form."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--mode", default="eager", choices=["eager", "compiled", "bfloat16"])
    parser.add_argument("--models", nargs="*", default=list(LSNETS))
    parser.add_argument("--peers", nargs="*", default=list(PEERS))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    images = torch.randn(args.batch, 3, SIZE, SIZE)
    calls = {f"{name} as published": as_published(name, images) for name in args.models}
    for name in (*args.models, *args.peers):
        calls[name] = with_mode(prepared(name, images[:1]), args.mode, images)
    times = timed(calls, args.rounds)
    rates = {name: args.batch / statistics.median(found) for name, found in times.items()}
    print(
        f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, batch {args.batch}, "
        f"{args.threads} thread(s), {args.mode}, {args.rounds} rounds"
    )
    for name in sorted(rates, key=rates.__getitem__, reverse=True):
        low, _, high = (args.batch / t for t in statistics.quantiles(times[name], n=4))
        print(f"{name:<26}{rates[name]:8.1f} images/s   [{high:.1f}, {low:.1f}]")
    for name in args.models:
        print(f"{name}: {rates[name] / rates[f'{name} as published']:.2f} times as published")


if __name__ == "__main__":
    main()
