"""Runtimes run a model for inference, in PyTorch or in a program outside of it: one file each.

A file assigns a :class:`Runtime` to ``RUNTIME``. Planning imports it, so it imports torch and the packages of
the runtime only inside functions. :func:`prepare` is the way to use one in a process of one's own.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from lsbench.core.errors import ConfigError
from lsbench.core.registry import RUNTIMES

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    #: Runs one pass: images as the runtime takes them, shape (B, 3, H, W), to logits, shape (B, K).
    Run = Callable[[Tensor], Tensor]
    #: Writes the program of a model into a folder and returns the seconds of each step.
    Write = Callable[[nn.Module, Tensor, "Form", "Tensor | None", Path], Mapping[str, float]]

Quantisation = Literal["static", "dynamic"]
"""Ranges of int8 activations: fixed, from calibration images, or found anew in each pass."""


@dataclass(frozen=True)
class Form:
    """The form in which a runtime runs a model.

    Attributes:
        precision: ``fp32``, ``bf16``, ``fp16`` or ``int8``, of weights and activations.
        device: ``"cpu"`` or ``"cuda"`` (the first visible device).
        threads: CPU threads.
        channels_last: Memory layout, of runtimes that run the model's own code.
        quantisation: Of int8.
    """

    precision: str = "fp32"
    device: str = "cpu"
    threads: int = 1
    channels_last: bool = False
    quantisation: Quantisation = "static"

    @property
    def needs_calibration(self) -> bool:
        """True if images are needed to fix the ranges of activations."""
        return self.precision == "int8" and self.quantisation == "static"


def as_float32(images: Tensor, form: Form) -> Tensor:
    """Return images as most runtimes take them: float32, contiguous, in the CPU's memory."""
    return images.float().cpu().contiguous()


def _lacks_nothing(form: Form) -> str | None:
    """Return None."""
    return None


@dataclass(frozen=True)
class Runtime:
    """A runtime, as a file in ``lsbench/runtimes`` offers it.

    Attributes:
        load: Returns the function that runs one pass. It is given the model itself, or, if there is
            :attr:`write`, the folder that this wrote, in the same process or a later one.
        precisions: Device -> the precisions that it can do there.
        quantisations: Its ways to int8.
        version: Returns its version, without importing it.
        write: Writes the program of a model into a folder: a function of the model, a batch of images like
            those to come, the form, the calibration images (None if none are needed), and the folder. None
            for a runtime that runs the model's own code.
        packages: The modules that it imports.
        quantising: The modules that int8 needs, too.
        install: The requirement to install with pip.
        needs_compiler: Whether it needs a C++ compiler.
        optimisation: The level of its graph optimisation, for protocols.
        takes: Converts images to what the function takes; off the clock.
        lacks: Returns in words what this machine or this build lacks for a form, or None; asked only if the
            packages are installed.
    """

    load: Callable[[Any, Form], Run]
    precisions: Mapping[str, tuple[str, ...]]
    version: Callable[[], str]
    write: Write | None = None
    packages: tuple[str, ...] = ()
    quantising: tuple[str, ...] = ()
    install: str = ""
    needs_compiler: bool = False
    quantisations: tuple[Quantisation, ...] = ("static", "dynamic")
    optimisation: str = ""
    takes: Callable[[Tensor, Form], Tensor] = as_float32
    lacks: Callable[[Form], str | None] = _lacks_nothing

    @property
    def runs_code(self) -> bool:
        """True if it runs the model's own code, and no program made of it."""
        return self.write is None

    def missing_package(self, precision: str) -> str | None:
        """Return the first module that a precision needs and that is not installed, or None."""
        needed = (*self.packages, *self.quantising) if precision == "int8" else self.packages
        return next((package for package in needed if not _is_installed(package)), None)

    def cannot(
        self, name: str, precision: str, quantisation: Quantisation = "static", *, device: str | None = None
    ) -> str | None:
        """Return one line if it can never run a precision, else None.

        Args:
            name: Name of the runtime.
            precision: The precision.
            quantisation: Of int8.
            device: ``"cpu"`` or ``"cuda"``; None: any.
        """
        if device is not None and device not in self.precisions:
            only = " or ".join(map(_device_words, self.precisions))
            return f"runtime: {name} runs on {only}, not on {_device_words(device)}; choose another runtime"
        devices = self.precisions if device is None else (device,)
        if precision == "int8" and quantisation not in self.quantisations:
            only = ", ".join(self.quantisations)
            return f"quantisation: {name} knows no {quantisation} one; set `quantisation: {only}`"
        if any(precision in self.precisions[one] for one in devices):
            return None
        there = "; ".join(f"{', '.join(self.precisions[one])} on {_device_words(one)}" for one in devices)
        return f"precision: {name} cannot run {precision}, only {there}; choose one of these"

    def problem(
        self,
        name: str,
        precision: str = "fp32",
        *,
        device: str | None = None,
        quantisation: Quantisation = "static",
    ) -> str | None:
        """Return one line if it cannot be used on this machine, else None.

        Args:
            name: Name of the runtime.
            precision: The precision.
            device: ``"cpu"`` or ``"cuda"``; None: it is not known yet.
            quantisation: Of int8.
        """
        if (never := self.cannot(name, precision, quantisation, device=device)) is not None:
            return never
        if (package := self.missing_package(precision)) is not None:
            return (
                f"runtime: {name}: cannot be imported here (No module named '{package}'); install it "
                f'with `pip install "{self.install}"`, or choose another runtime'
            )
        if self.needs_compiler and (wanted := missing_compiler()) is not None:
            return (
                f"runtime: {name}: needs a C++ compiler, and {wanted} is not found here; install one, or set "
                "CXX, or choose another runtime"
            )
        likely = device or next(one for one, can in self.precisions.items() if precision in can)
        lack = self.lacks(Form(precision, likely, quantisation=quantisation))
        return None if lack is None else f"runtime: {name}: {lack}"


def _device_words(device: str) -> str:
    return "a GPU" if device == "cuda" else "a CPU"


def _is_installed(package: str) -> bool:
    """Return whether a module can be found; it is not imported."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def missing_compiler() -> str | None:
    """Return the C++ compiler that torch would call, if there is none of that name here, else None."""
    usual = "clang++" if sys.platform == "darwin" else "g++"
    name = next(iter(os.environ.get("CXX", "").split()), usual)
    return None if shutil.which(name) else name


@dataclass(frozen=True)
class Prepared:
    """A model in a runtime.

    Attributes:
        run: Runs one pass on what :attr:`takes` gives.
        takes: Converts images to what the pass takes.
        seconds: Step -> its seconds: the steps of writing the program, ``load``, and ``first pass``.
    """

    run: Run
    takes: Callable[[Tensor], Tensor]
    seconds: Mapping[str, float]

    def __call__(self, images: Tensor) -> Tensor:
        """Return the logits of images, shape (B, 3, H, W), as float32 in the CPU's memory, shape (B, K)."""
        return self.run(self.takes(images)).float().cpu()


def prepare(
    name: str,
    model: nn.Module,
    images: Tensor,
    form: Form,
    folder: Path,
    *,
    calibration: Tensor | None = None,
) -> Prepared:
    """Return a model in a runtime, after its first pass.

    Args:
        name: Name of the runtime.
        model: In evaluation mode, on the CPU, in float32; fused, if that is wanted. It must not be used
            afterwards: a runtime may move and change it.
        images: A batch of images like all those to come: a program takes only batches of this shape.
        form: The form.
        folder: Where a program is written: an existing folder, which is needed as long as it runs.
        calibration: Images of the training split for static quantisation, shape (N, 3, H, W).

    Raises:
        ConfigError: If the runtime cannot be used here, or cannot hold the model.
    """
    runtime: Runtime = RUNTIMES.load(name)
    problem = runtime.problem(name, form.precision, device=form.device, quantisation=form.quantisation)
    if problem is not None:
        raise ConfigError(problem)
    if form.needs_calibration and calibration is None:
        raise ConfigError(f"runtime: {name}: static quantisation needs calibration images")
    seconds: dict[str, float] = {}
    if runtime.write is not None:
        seconds |= runtime.write(model, images, form, calibration, folder)
    return opened(name, model if runtime.write is None else folder, images, form, seconds)


def opened(
    name: str, program: nn.Module | Path, images: Tensor, form: Form, seconds: Mapping[str, float]
) -> Prepared:
    """Return a model or a written program in a runtime, after its first pass.

    Args:
        name: Name of the runtime.
        program: The model, or the folder that was written.
        images: A batch for the first pass.
        form: The form.
        seconds: Step -> its seconds, so far.
    """
    runtime: Runtime = RUNTIMES.load(name)
    started = time.perf_counter()
    run = runtime.load(program, form)
    loaded = time.perf_counter()

    def takes(some: Tensor) -> Tensor:
        return runtime.takes(some, form)

    run(takes(images))
    took = {"load": loaded - started, "first pass": time.perf_counter() - loaded}
    return Prepared(run, takes, {**seconds, **took})
