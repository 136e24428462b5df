"""An even grey haze, without the structure of fog."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import RandomState
    from numpy.typing import NDArray

SHARES = (0.2, 0.35, 0.5, 0.65, 0.8)


def haze(image: NDArray[np.uint8], severity: int, rng: RandomState) -> NDArray[np.uint8]:
    """Return the image mixed with a grey of random brightness.

    Args:
        image: RGB, uint8, shape ``(H, W, 3)``.
        severity: 1 (weak) to 5 (strong).
        rng: Source of the random number.
    """
    import numpy as np

    share, grey = SHARES[severity - 1], rng.uniform(160, 220)
    return ((1 - share) * image + share * grey).round().clip(0, 255).astype(np.uint8)


CORRUPTION = haze
