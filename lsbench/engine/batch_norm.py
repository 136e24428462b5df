"""Batch normalisation over the joined batch of all ranks, on the CPU as well.

torch's ``SyncBatchNorm`` refuses CPU tensors. This one exchanges one small tensor in each direction and has
the exact gradients of plain batch normalisation on the joined batch.

Shapes: B batch of this rank, C channels, ``*`` any further axes.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from timm.layers import BatchNormAct2d, convert_sync_batchnorm
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lsbench.core.errors import ConfigError

#: The classes with a known forward pass; a subclass that overrides it would silently lose it.
KNOWN = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, BatchNormAct2d)


def synchronise(model: nn.Module, *, on_gpu: bool) -> nn.Module:
    """Replace every batch normalisation of `model` by one over all ranks, and return the model.

    Args:
        model: Changed in place unless it is itself a batch normalisation. The new layers share the parameters
            and buffers of the old ones.
        on_gpu: Whether to use torch's own, for the GPU, instead of this module's.

    Raises:
        ConfigError: Names the layers that have a forward pass of their own.
    """
    forwards = {known.forward for known in KNOWN}
    strange = [
        f"{name or 'the model'}: {type(layer).__name__} cannot be synchronised over ranks; use plain "
        "batch normalisation, or num_ranks: 1"
        for name, layer in model.named_modules()
        if isinstance(layer, _BatchNorm) and type(layer).forward not in forwards
    ]
    if strange:
        raise ConfigError(strange)
    if on_gpu:
        converted: nn.Module = convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return converted
    return _replaced(model)


def is_synchronised(model: nn.Module) -> bool:
    """Return True if no batch normalisation of the model sees only the batch of its own rank."""
    kinds = (AllReduceBatchNorm, nn.SyncBatchNorm)
    return all(isinstance(m, kinds) for m in model.modules() if isinstance(m, _BatchNorm))


def _replaced(module: nn.Module) -> nn.Module:
    if isinstance(module, _BatchNorm):
        return AllReduceBatchNorm(module)
    for name, child in module.named_children():
        module.add_module(name, _replaced(child))
    return module


class AllReduceBatchNorm(_BatchNorm):
    """Batch normalisation of ``(B, C, *)`` over all ranks' batches; plain in evaluation.

    In place of a :class:`timm.layers.BatchNormAct2d`, it also applies that layer's dropout and activation.
    """

    drop: nn.Module | None
    act: nn.Module | None

    def __init__(self, plain: _BatchNorm) -> None:
        """Take over the parameters, buffers and mode of `plain`."""
        super().__init__(
            plain.num_features,
            plain.eps,
            plain.momentum,
            affine=False,
            track_running_stats=plain.track_running_stats,
        )
        self.affine = plain.affine
        self.weight, self.bias = plain.weight, plain.bias
        self.running_mean, self.running_var = plain.running_mean, plain.running_var
        self.num_batches_tracked = plain.num_batches_tracked
        self.drop = self.act = None
        if isinstance(plain, BatchNormAct2d):
            self.drop, self.act = plain.drop, plain.act
        self.train(plain.training)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected a tensor of shape (B, C, *), found {tuple(input.shape)}")

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` normalised per channel, same shape."""
        uses_batch = self.training or self.running_mean is None
        normalised = self._over_all_ranks(x) if uses_batch else super().forward(x)
        for after in (self.drop, self.act):
            normalised = normalised if after is None else after(normalised)
        return normalised

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # collectives stay out of compiled graphs
    def _over_all_ranks(self, x: Tensor) -> Tensor:
        self._check_input_dim(x)
        mean, var, count = _joined_statistics(x)
        if self.training and self.running_mean is not None and self.running_var is not None:
            self._track(mean, var * (count / max(count - 1.0, 1.0)))
        result: Tensor = _Normalise.apply(x, mean, torch.rsqrt(var + self.eps), count, self.weight, self.bias)
        return result

    @torch.no_grad()
    def _track(self, mean: Tensor, unbiased_var: Tensor) -> None:
        if self.num_batches_tracked is None or self.running_mean is None or self.running_var is None:
            return
        self.num_batches_tracked.add_(1)
        step = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), step)
        self.running_var.lerp_(unbiased_var.to(self.running_var.dtype), step)


@torch.no_grad()
def _joined_statistics(x: Tensor) -> tuple[Tensor, Tensor, float]:
    """Return mean and biased variance per channel of the joined batch, and its values per channel.

    Means and squared deviations of the ranks are combined in the order of ranks (Chan et al., 1983), so all
    ranks get the same bits and nothing cancels.
    """
    exact = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    axes = [0, *range(2, x.dim())]
    var, mean = torch.var_mean(exact, dim=axes, correction=0)
    count = x.numel() // x.shape[1]
    own = torch.cat([mean, var, mean.new_tensor([float(count)])])
    table = _of_all_ranks(own)
    means, variances = table[:, :-1].chunk(2, dim=1)
    share = table[:, -1:] / table[:, -1].sum()
    joined = (share * means).sum(0)
    spread = (share * (variances + (means - joined).square())).sum(0)
    return joined, spread, float(table[:, -1].sum())


def _of_all_ranks(own: Tensor) -> Tensor:
    """Return every rank's vector, shape ``(R, n)``; gloo gathers small ones faster than it adds them."""
    rows = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(rows, own)
    return torch.stack(rows)


class _Normalise(torch.autograd.Function):
    """``(x - mean) * scale * weight + bias``, differentiated through the statistics of all ranks."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        mean: Tensor,
        scale: Tensor,
        count: float,
        weight: Tensor | None,
        bias: Tensor | None,
    ) -> Tensor:
        ctx.save_for_backward(x, mean, scale, weight)
        ctx.count = count
        shape = (1, -1, *[1] * (x.dim() - 2))
        factor = scale if weight is None else scale * weight
        shift = -mean * factor if bias is None else bias - mean * factor
        return (x * factor.view(shape) + shift.view(shape)).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Return gradients; those of weight and bias are this rank's sums, averaged over ranks later."""
        (grad,) = grads
        x, mean, scale, weight = ctx.saved_tensors
        shape = (1, -1, *[1] * (x.dim() - 2))
        axes = [0, *range(2, x.dim())]
        normal = (x - mean.view(shape)) * scale.view(shape)
        exact = grad.to(normal.dtype)
        own = torch.stack([exact.sum(axes), (exact * normal).sum(axes)])
        means = _of_all_ranks(own.flatten()).sum(0).view_as(own) / ctx.count
        centred = exact - means[0].view(shape) - normal * means[1].view(shape)
        factor = scale if weight is None else scale * weight
        grad_x = (centred * factor.view(shape)).to(x.dtype)
        has_affine = weight is not None
        grad_weight = own[1].to(weight.dtype) if has_affine else None
        return grad_x, None, None, None, grad_weight, own[0] if has_affine else None
