"""Parts of token mixers whose kernel varies from image to image but not from pixel to pixel.

Shapes: B batch, C channels, H, W plane, T = K * K taps of a kernel.
"""

# ruff: noqa: N803 - shape suffixes name the axes
from __future__ import annotations

import logging
import math
from collections import OrderedDict
from typing import Any, cast

import torch
from timm.layers.cond_conv2d import CondConv2d
from torch import Tensor, nn

from lsbench.models.earlier_weights import UpgradesWeights
from lsbench.models.open_sizes import is_open
from lsbench.models.ops.ska_reference import ska_reference
from lsbench.models.tracing import one_node

log = logging.getLogger(__name__)

#: The temperature of the softmax reaches 1 after this many epochs, or after a third of a shorter training.
ANNEALING_EPOCHS = 10.0


class Squeeze(nn.Sequential):
    """A summary of an image as a short vector: mean over the plane, linear layer, ReLU.

    Args:
        dim: Channels C of the input.
        hidden: Length of the vector.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__(_squeezing(fc=nn.Linear(dim, hidden)))


class NormalisedSqueeze(UpgradesWeights, nn.Sequential):
    """A :class:`Squeeze` whose vector is batch-normalised before the ReLU.

    Weights from before it was normalised get statistics that change nothing.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__(_squeezing(fc=nn.Linear(dim, hidden, bias=False), norm=nn.BatchNorm1d(hidden)))

    def upgrade_weights(self, state: dict[str, Any], prefix: str) -> None:
        """Turn the bias of the linear layer into that of a normalisation by 0 and 1."""
        bias = state.pop(f"{prefix}fc.bias", None)
        if bias is None:
            return
        eps = cast(nn.BatchNorm1d, self.get_submodule("norm")).eps
        values = {
            "weight": torch.full_like(bias, math.sqrt(1 + eps)),
            "bias": bias,
            "running_mean": torch.zeros_like(bias),
            "running_var": torch.ones_like(bias),
            "num_batches_tracked": torch.zeros((), dtype=torch.long),
        }
        state |= {f"{prefix}norm.{name}": value for name, value in values.items()}


def _squeezing(**layers: nn.Module) -> OrderedDict[str, nn.Module]:
    return OrderedDict(pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), **layers, act=nn.ReLU())


class MixedConv(CondConv2d):
    """timm's convolution with a kernel that is mixed per image, depth-wise and of stride 1, without bias.

    Args:
        dim: Channels C of input and output.
        kernel: Odd size of the kernels.
        num_experts: Number of kernels that are mixed.
    """

    def __init__(self, dim: int, kernel: int, num_experts: int) -> None:
        super().__init__(dim, dim, kernel, padding=kernel // 2, groups=dim, num_experts=num_experts)

    def forward(self, x_BCHW: Tensor, shares_BE: Tensor) -> Tensor:
        """Return the convolution of each image with its own mixture of kernels, same shape."""
        taps = math.prod(self.kernel_size)
        return convolve_per_image(x_BCHW, (shares_BE @ self.weight).view(-1, self.out_channels, taps))


class KernelShares(UpgradesWeights, nn.Module):
    """The weight of each of several kernels for an image: ``softmax(score(z) / temperature)``.

    The temperature falls linearly to 1 at the start of a training, and is 1 ever after. It is in no state
    dict. Weights under the earlier name of `score`, ``fc``, were trained at a constant temperature, and get
    it.

    Args:
        hidden: Length of the vector z.
        num_experts: Number of kernels.
        first_temperature: Where a training starts. A high value keeps the weights nearly equal, so that every
            kernel learns.

    Raises:
        ValueError: If the temperature is not positive.
    """

    temperature: Tensor

    def __init__(self, hidden: int, num_experts: int, *, first_temperature: float) -> None:
        super().__init__()
        if not first_temperature > 0:
            raise ValueError(f"temperature must be positive, got {first_temperature}")
        self.first_temperature = first_temperature
        self.score = nn.Linear(hidden, num_experts)
        # A tensor, so that a compiled model is not compiled again for each value.
        self.register_buffer("temperature", torch.ones(()), persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        """Return shape (B, num_experts); rows sum to 1."""
        logits: Tensor = self.score(z)
        return (logits / self.temperature).softmax(dim=1)

    def set_epoch(self, epoch: float, epochs: float) -> None:
        """Set the temperature of the next update.

        Args:
            epoch: Epochs trained so far, with their fraction.
            epochs: Epochs of the whole training.
        """
        left = max(0.0, 1.0 - epoch / min(ANNEALING_EPOCHS, epochs / 3))
        self.temperature.fill_(1.0 + (self.first_temperature - 1.0) * left)

    def conditions(self) -> dict[str, float]:
        """Return the temperature, if it is not the usual one of trained weights."""
        temperature = float(self.temperature)
        return {} if temperature == 1.0 else {"temperature": temperature}

    def upgrade_weights(self, state: dict[str, Any], prefix: str) -> None:
        """Rename the linear layer of weights that were trained at a constant temperature."""
        for name in ("weight", "bias"):
            if f"{prefix}fc.{name}" in state:
                state[f"{prefix}score.{name}"] = state.pop(f"{prefix}fc.{name}")

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        is_earlier = f"{prefix}fc.weight" in state_dict
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self.temperature.fill_(self.first_temperature if is_earlier else 1.0)
        if is_earlier:
            log.warning("weights from before the temperature fell: it stays at %g", self.first_temperature)


@one_node
def convolve_per_image(x_BCHW: Tensor, kernel_BCT: Tensor) -> Tensor:
    """Return the depth-wise convolution of each image with kernels of its own, same shape, zeros outside.

    Args:
        x_BCHW: Features.
        kernel_BCT: One kernel per image and channel, taps row by row, K odd.
    """
    batch, channels, height, width = x_BCHW.shape
    if is_open(batch):
        # The number of a convolution's groups cannot be open.
        return ska_reference(x_BCHW, kernel_BCT[..., None, None])
    kernel = math.isqrt(kernel_BCT.shape[-1])
    # One convolution whose groups are the channels of all images.
    y = nn.functional.conv2d(
        x_BCHW.reshape(1, batch * channels, height, width),
        kernel_BCT.reshape(batch * channels, 1, kernel, kernel),
        padding=kernel // 2,
        groups=batch * channels,
    )
    return y.view(x_BCHW.shape)
