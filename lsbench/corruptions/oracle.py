"""imagecorruptions 1.1.2 itself, run with current packages: the reference of the compiled kinds.

The package no longer works as it is: it uses functions and arguments that numpy, scikit-image, setuptools and
scipy have dropped. Its file is therefore loaded again under a name of this project, and the names in that
copy are replaced. Nothing outside is patched: not numpy, not scikit-image, not an imagecorruptions imported
elsewhere.

Replacements: ``np.float_`` is float64; ``np.random`` is the caller's generator; ``gaussian`` takes the
argument `multichannel`; and ``sk.util.random_noise``, which in the package draws from fresh entropy, gets a
generator by this rule: impulse noise draws its doubles from the same MT19937 stream, by a
``numpy.random.Generator`` over the bit generator of `rng`. One per value decides whether it flips, then one
per value between white and black. A normal that `rng` keeps stays kept.
"""

from __future__ import annotations

import importlib.util
import sys
import types
import warnings
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from lsbench.core.errors import UsageError


def reference_corrupt(
    image: NDArray[np.uint8], name: str, severity: int, *, rng: RandomState
) -> NDArray[np.uint8]:
    """Return `image` corrupted by imagecorruptions 1.1.2; slow. Not thread-safe.

    Args:
        image: RGB, uint8, shape ``(H, W, 3)``.
        name: One of the 19 kinds.
        severity: 1 to 5.
        rng: The package's ``np.random``.

    Raises:
        UsageError: If the package is not installed.
    """
    from PIL import Image

    package = _package()
    package.np.random = rng
    package.sk.util.random_noise = _noise_from(rng)
    corrupted = getattr(package, name)(Image.fromarray(image), severity)
    # Truncated, as in the package.
    return np.asarray(corrupted).astype(np.uint8)


def frost_textures() -> list[Path]:
    """Return the package's six textures of frost, in its order.

    Raises:
        UsageError: If the package is not installed.
    """
    return sorted((_folder() / "frost").glob("frost*"))


def _folder() -> Path:
    found = importlib.util.find_spec("imagecorruptions")
    if found is None or not found.submodule_search_locations:
        raise UsageError("imagecorruptions is not installed; run: pip install imagecorruptions==1.1.2")
    return Path(next(iter(found.submodule_search_locations)))


@cache
def _package() -> types.ModuleType:
    """Return a private copy of the package's module with its outdated names replaced."""
    import skimage
    import skimage.color
    from skimage.util import random_noise

    folder = _folder()
    spec = importlib.util.spec_from_file_location(f"{__name__}.package", folder / "corruptions.py")
    if spec is None or spec.loader is None:
        raise UsageError(f"{folder} holds no corruptions.py; install imagecorruptions 1.1.2 again")
    package = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings(), _Standins(folder):
        warnings.simplefilter("ignore")
        spec.loader.exec_module(package)
    package.__dict__.update(
        np=_copy_of(np, float_=np.float64),
        sk=types.SimpleNamespace(util=types.SimpleNamespace(random_noise=random_noise), color=skimage.color),
        gaussian=_gaussian,
    )
    return package


class _Standins:
    """Modules that the package imports and that may be missing, present during a block."""

    def __init__(self, folder: Path) -> None:
        from scipy.ndimage import map_coordinates

        resources = types.ModuleType("pkg_resources")
        resources.__dict__["resource_filename"] = lambda _, path: str(folder / path)
        interpolation = types.ModuleType("scipy.ndimage.interpolation")
        interpolation.__dict__["map_coordinates"] = map_coordinates
        self._modules = {module.__name__: module for module in (resources, interpolation)}
        self._before: dict[str, types.ModuleType] = {}

    def __enter__(self) -> None:
        self._before = {name: sys.modules[name] for name in self._modules if name in sys.modules}
        sys.modules.update(self._modules)

    def __exit__(self, *_: object) -> None:
        for name in self._modules:
            del sys.modules[name]
        sys.modules.update(self._before)


def _copy_of(module: types.ModuleType, **exchanged: Any) -> types.ModuleType:
    copy = types.ModuleType(module.__name__)
    copy.__dict__.update({**module.__dict__, **exchanged})
    return copy


def _gaussian(image: NDArray[Any], sigma: Any, multichannel: bool = False, **options: Any) -> NDArray[Any]:
    from skimage.filters import gaussian

    blurred = gaussian(image, sigma, channel_axis=-1 if multichannel else None, **options)  # type: ignore[no-untyped-call]
    return np.asarray(blurred)


def _noise_from(rng: RandomState) -> Any:
    from skimage.util import random_noise

    generator = np.random.Generator(rng._bit_generator)
    return partial(random_noise, rng=generator)
