"""Rows that the gate compares, each of one metric, with the measurements behind it."""

from __future__ import annotations

import base64
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsbench.core.spec import StrictModel
from lsbench.store.resampled_numbers import Resampled
from lsbench.store.right_images import RightImages

#: The reason if a job had nothing to measure; a timing that was too disturbed has another one.
UNMEASURED = "nothing could be measured"


class RowKey(NamedTuple):
    """The key that two rows must share to be compared."""

    variant: str
    metric: str
    protocol: str
    dataset: str | None

    def __str__(self) -> str:
        """Return a short label of the row, without its protocol."""
        return f"{self.variant} {self.metric}"


class Images(StrictModel):
    """Correctness of the prediction on each image of a split.

    Attributes:
        count: Number of images.
        sha256: Hash of the ordered list of image files.
        bits: One bit per image, packed, as base64.
    """

    count: int
    sha256: str
    bits: str

    @classmethod
    def pack(cls, images: RightImages) -> Images:
        """Return `images` in a form that JSON can store.

        >>> Images.pack(RightImages.pack(np.array([True, False, True]), "0")).right()
        array([ True, False,  True])
        """
        bits = base64.b64encode(images.packed.tobytes()).decode()
        return cls(count=images.count, sha256=images.sha256, bits=bits)

    def right(self) -> NDArray[np.bool_]:
        """Return True for each correct image, shape ``(count,)``.

        Raises:
            ValueError: If the number of bits does not match the number of images.
        """
        packed = np.frombuffer(base64.b64decode(self.bits, validate=True), dtype=np.uint8)
        if len(packed) != -(-self.count // 8):
            raise ValueError(f"expected the bits of {self.count} images, found {8 * len(packed)}")
        return RightImages(packed, self.count, self.sha256).right()


class Resamples(StrictModel):
    """A number over resampled images, which all jobs on these images share.

    Attributes:
        count: Number of images.
        sha256: Hash of the ordered list of image files.
        values: The number over each resample, NaN where it has none, little-endian float64, as base64.
    """

    count: int
    sha256: str
    values: str

    @classmethod
    def pack(cls, found: Resampled) -> Resamples:
        """Return the numbers in a form that JSON can store.

        >>> Resamples.pack(Resampled(0.5, np.array([0.25, 0.5]), 7, "0")).unpack()
        array([0.25, 0.5 ])
        """
        packed = base64.b64encode(found.values.astype("<f8").tobytes()).decode()
        return cls(count=found.count, sha256=found.sha256, values=packed)

    def unpack(self) -> NDArray[np.float64]:
        """Return the number over each resample.

        Raises:
            ValueError: If these are no whole numbers of eight bytes.
        """
        return np.frombuffer(base64.b64decode(self.values, validate=True), dtype="<f8").astype(np.float64)


class Pairs(StrictModel):
    """Undisturbed samples of a candidate and its control, taken in turns.

    Attributes:
        count: Number of pairs.
        seconds: Times of the candidate, then of the control, little-endian float32, as base64.
    """

    count: int
    seconds: str

    @classmethod
    def pack(cls, candidate: NDArray[np.float64], control: NDArray[np.float64]) -> Pairs:
        """Return the pairs of two series in chronological order, each of shape ``(count,)``."""
        both = np.stack([candidate, control]).astype("<f4")
        return cls(count=len(candidate), seconds=base64.b64encode(both.tobytes()).decode())

    def unpack(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the seconds of the candidate and of the control, each of shape ``(count,)``.

        Raises:
            ValueError: If the number of samples does not match the number of pairs.
        """
        flat = np.frombuffer(base64.b64decode(self.seconds, validate=True), dtype="<f4")
        if len(flat) != 2 * self.count:
            raise ValueError(f"expected {2 * self.count} samples, found {len(flat)}")
        candidate, control = flat.reshape(2, self.count).astype(np.float64)
        return candidate, control

    def ratios(self) -> NDArray[np.float64]:
        """Return candidate time over control time of each pair; larger is slower."""
        candidate, control = self.unpack()
        return candidate / control

    def control_s(self) -> float:
        """Return the seconds of an undisturbed pass of the control: the first decile.

        Other load on the machine can raise the median by half from one process to the next; undisturbed
        passes hardly differ.
        """
        return float(np.quantile(self.unpack()[1], 0.1))


class Measurement(StrictModel):
    """One measured number of a row, one per seed where the job has seeds.

    Attributes:
        value: None if nothing could be measured.
        reason: Why there is no value; None if there is one.
        job_id: The job that measured it.
        machine: Device or processor.
        code: Short hash of lsbench's own source at the time, with the versions of torch and timm.
        commit: Commit of that source; None if unknown.
        weights: SHA-256 of the tested weights.
    """

    seed: int | None
    value: float | None
    reason: str | None = None
    job_id: str
    machine: str | None
    code: str | None
    commit: str | None
    weights: str | None = None
    images: Images | None = None
    resamples: Resamples | None = None
    pairs: Pairs | None = None

    def check(self) -> None:
        """Raise a ValueError if packed images, resamples or samples cannot be used."""
        if self.images is not None:
            self.images.right()
        if self.resamples is not None:
            self.resamples.unpack()
        if self.pairs is not None and not all((part > 0).all() for part in self.pairs.unpack()):
            raise ValueError("expected times above 0 s in its samples")


class GateRow(StrictModel):
    """All measurements of one row, one per seed.

    Attributes:
        title: Title of the variant.
    """

    key: RowKey
    title: str
    measurements: tuple[Measurement, ...]

    def values(self) -> list[float]:
        """Return the measured values in the order of the seeds."""
        return [found.value for found in self.measurements if found.value is not None]

    @property
    def mean(self) -> float | None:
        """The mean over the seeds; None if a value is missing."""
        values = self.values()
        return sum(values) / len(values) if len(values) == len(self.measurements) > 0 else None

    @property
    def machines(self) -> set[str]:
        """All machines that measured part of the row."""
        return {found.machine or "unknown" for found in self.measurements}
