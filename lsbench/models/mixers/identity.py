"""Identity: no token mixing.

The lower bound of every comparison: the backbone's result when the pluggable token mixer does nothing.

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, Table 5, row "w/o LS conv.".

Differs from the authors' code:
    They publish no code for this row.
"""

from __future__ import annotations

from torch import nn


class Identity(nn.Identity):
    """Return the input itself.

    Args:
        dim: Channels of input and output; not used.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()


MIXER = Identity
