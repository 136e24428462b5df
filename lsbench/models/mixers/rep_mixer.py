"""RepMixer: a static depth-wise convolution, trained as several branches.

Source:
    FastViT: A Fast Hybrid Vision Transformer using Structural Reparameterization, ICCV 2023,
        arXiv:2303.14189, section 3.2.1, as timm's RepMixer; a row of
    LSNet's Table 5, whose settings are not stated. The 3x3 kernel is FastViT's. LSNet-T costs 0.2963 G with
        it at 224 px; LSNet's table has 0.29 G.

Differs from the authors' code:
    None known. It is counted and trained with its branches; ``reparameterize`` merges them into one
    convolution for inference.
"""

from __future__ import annotations

from timm.models import fastvit

from lsbench.models.checks import check_odd_kernel


class RepMixer(fastvit.RepMixer):
    """``x + scale * (mixer(x) - bn(x))``; `mixer` sums normalised K x K, 1x1 and identity branches.

    Args:
        dim: Channels C of input and output.
        kernel_size: Odd size K of the depth-wise kernel.
        layer_scale_init_value: Initial scale of each channel.

    Raises:
        ValueError: If the kernel is even.
    """

    def __init__(self, dim: int, *, kernel_size: int = 3, layer_scale_init_value: float = 1e-5) -> None:
        super().__init__(dim, check_odd_kernel("kernel_size", kernel_size), layer_scale_init_value)


MIXER = RepMixer
