"""Convert a profile job to the request of a timing, and the reply to records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lsbench.core.atomic import atomic_write
from lsbench.core.facets import Facets
from lsbench.core.ids import content_hash
from lsbench.core.job import JobContext
from lsbench.core.record import Record, measured
from lsbench.core.registry import DATASETS, RUNTIMES
from lsbench.detection.costs import Whole, whole_on
from lsbench.runtimes import Runtime
from lsbench.timing.image_size import ImageSize, size_facets
from lsbench.timing.request import BatchEnd, Budget, Built, Reply, Request, TimedModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

VERSION = 2
"""Version of the method in protocols. Version 1 timed a fixed number of passes in the job's own process."""
MEMORY_VERSION = 3
"""Version of peak memory on the host. Before, the process imported the libraries by itself; now it is forked
from one that has, and the parts of libraries that it does not use do not count."""
LIMITED_S = 2.0


def create_request(
    context: JobContext,
    img_size: ImageSize,
    *,
    batch_size: int = 1,
    min_samples: int = 20,
    with_control: bool = False,
    action: Literal["time", "fit"] = "time",
) -> Request:
    """Return the request of a timing of the job's model.

    Args:
        context: A job whose spec is a profile's.
        img_size: Side of square images, or height and width, pixels.
        batch_size: Images of one pass.
        min_samples: Number of samples that is worth some extra seconds.
        with_control: Whether the spec's control takes turns with the model.
        action: As in :class:`Request`.
    """
    job, spec = context.job, context.spec
    whole = whole_of(context)
    return Request(
        action=action,
        subject=TimedModel(**job.variant.model_identity()),
        control=spec.control_model() if with_control else None,
        whole=None if whole is None else whole.task,
        head={} if whole is None else dict(whole.head),
        seed=job.seed or 0,
        num_classes=_num_classes(context) if whole is None else whole.num_classes,
        img_size=img_size,
        batch_size=batch_size,
        device=context.device,
        setting=spec.setting(),
        budget=_limited(spec.budget(min_samples), job.limit),
    )


def whole_of(context: JobContext) -> Whole | None:
    """Return the detector or segmenter that a profile is of; None: it is of the variant's model itself."""
    spec = context.spec
    if spec.of == "backbone":
        return None
    plugin, settings = _data_of(context)
    return whole_on(spec.of, plugin, settings, count=lambda: _num_classes(context), head=spec.head)


def _num_classes(context: JobContext) -> int:
    """Return the number of classes of the data set that a profile is for."""
    plugin, settings = _data_of(context)
    root = context.job.data_root
    return int(plugin.num_classes(settings, None if root is None else Path(root)))


def _data_of(context: JobContext) -> tuple[Any, Any]:
    """Return plug-in and settings of the data set that a profile is for."""
    named = context.spec.read_data(context.job.variant.dataset)[-1]
    plugin = DATASETS.load(named["name"])
    return plugin, plugin.spec.model_validate(named)


def _limited(budget: Budget, limit: int | None) -> Budget:
    """Return a budget with at most `limit` samples, and little time for what is not timed."""
    if limit is None:
        return budget
    from lsbench.timing.stopping import FEWEST

    less = {"max_samples": limit, "min_samples": min(limit, FEWEST), "min_s": 0.0, "processes": 1}
    return budget.model_copy(update={**less, "max_s": min(budget.max_s, LIMITED_S)})


def timing_facets(request: Request, reply: Reply, *, batch: int | Literal["max"]) -> Facets:
    """Return the facets that comparable values of a request share.

    Args:
        request: The request.
        reply: Its reply, which knows what fusing left.
        batch: The batch size as set.
    """
    return Facets(
        batch_size=batch,
        **_form_facets(request),
        unfused_norms=reply.unfused_norms,
        **size_facets(request.img_size),
        device=request.device,
        device_model=reply.device_model,
        tf32=reply.tf32,
        control=None if request.control is None else _name_of(request.control),
        passes=request.budget.max_samples,
        version=str(VERSION),
    )


def _form_facets(request: Request) -> dict[str, Any]:
    """Return the facets of the form in which the models run, and of what runs them.

    PyTorch as it is, and its compiler, are told as they always were: by one word.
    """
    form = request.setting.model_dump()
    name, quantisation = form.pop("runtime"), form.pop("quantisation")
    runtime: Runtime = RUNTIMES.load(name)
    if form["precision"] == "int8":
        form["quantisation"] = quantisation
    if request.device == "cuda":
        form["threads"] = None
    if runtime.runs_code:
        form["compiled"] = name == "compile"
    else:
        form |= {"channels_last": None, "cuda_graphs": None}
    if name in ("eager", "compile"):
        return form
    told = {
        "runtime": name,
        "runtime_version": runtime.version(),
        "optimisation": runtime.optimisation or None,
    }
    return {**form, **told}


def _name_of(subject: TimedModel) -> str:
    """Return a short name of a model, with a hash if it has arguments."""
    args = {**subject.mixer_args, **subject.model_args}
    parts = [subject.model, subject.mixer, content_hash(args, length=6) if args else None]
    return "+".join(part for part in parts if part)


@dataclass(frozen=True)
class Timed:
    """A reply with the parts that its records have in common.

    Attributes:
        request: The request.
        reply: The reply.
        facets: Result of :func:`timing_facets`.
        batch_ended_by: Why the search for the largest batch ended; None without a search.
        built: How each model in its runtime compares with PyTorch; none of PyTorch itself.
    """

    request: Request
    reply: Reply
    facets: Facets
    batch_ended_by: BatchEnd | None = None
    built: Sequence[Built] = ()

    @property
    def disturbed_share(self) -> float:
        """Fraction of the samples that other processes disturbed."""
        return sum(self.reply.is_disturbed) / len(self.reply.is_disturbed)

    def inconclusive(self) -> str | None:
        """The reason if the samples are inconclusive, else None."""
        share, most = self.disturbed_share, self.request.budget.max_disturbed
        if share <= most:
            return None
        causes = ", ".join(sorted(self.reply.disturbed_by))
        return f"{share:.0%} of the samples were disturbed ({causes}), at most {most:.0%} may be"

    def to_record(self, metric: str, values: Values, *, share: float = 0.5) -> Record:
        """Return a quantile of the undisturbed values with its interval.

        If the samples do not support a value, it is None and the setting gives the reason. Under a limit, the
        median of fewer passes than an interval needs is given without one.

        Args:
            metric: Name of the metric.
            values: All samples in its unit, in the order of time, shape ``(n,)``.
            share: The quantile, 0.5 for the median.
        """
        import numpy as np

        from lsbench.timing.quantiles import quantile_intervals, samples_needed

        clean = values[~np.array(self.reply.is_disturbed)]
        needed = samples_needed(max(share, 1 - share))
        is_limited = self.request.budget.max_samples is not None
        verdict, why, short = "inconclusive", self.inconclusive(), {}
        if why is None and len(clean) < needed:
            why = f"{len(clean)} undisturbed samples, but an interval of this quantile needs {needed}"
            verdict, short = "limited" if is_limited else verdict, {"samples_needed": needed}
        if why is not None:
            known = float(np.median(clean)) if verdict == "limited" and share == 0.5 else None
            told = {**self.setting(), **short, "verdict": verdict, verdict: why}
            return measured(metric, known, facets=self.facets, n=len(clean), setting=told)
        what = "median" if share == 0.5 else f"{share:.0%} quantile"
        value = float(np.quantile(clean, share))
        [(low, high)] = quantile_intervals(clean, [share])
        spread = {"p25": float(np.quantile(clean, 0.25)), "p75": float(np.quantile(clean, 0.75))}
        noise = {"rel_noise": (high - low) / 2 / value}
        return measured(
            metric,
            value,
            facets=self.facets,
            n=len(clean),
            ci_low=low,
            ci_high=high,
            ci_method=f"{what}, block bootstrap 95%",
            setting={**self.setting(), **spread, **noise, "verdict": "ok"},
        )

    def setting(self) -> dict[str, Any]:
        """Details of the timing, for the setting of every record."""
        reply = self.reply
        return {
            "batch_size": self.request.batch_size,
            **({"batch_ended_by": self.batch_ended_by} if self.batch_ended_by else {}),
            **({"runtime": [one.model_dump(mode="json") for one in self.built]} if self.built else {}),
            **({"limit": limit} if (limit := self.request.budget.max_samples) else {}),
            "stopped_by": reply.stopped_by,
            "target_noise": self.request.budget.target_noise,
            "disturbed_share": round(self.disturbed_share, 4),
            "disturbed_by": reply.disturbed_by,
            "warm_up": [warm.model_dump() for warm in reply.warm_up],
            "passes": reply.passes,
            "processes": self.request.budget.processes,
            "conditions": reply.conditions,
        }

    def check_records(self) -> list[Record]:
        """Return how the model in its runtime compares with PyTorch; none of PyTorch itself."""
        return [
            measured(metric, value, facets=self.facets, n=one.images)
            for one in self.built[:1]
            for metric, value in (
                ("runtime_difference", one.difference),
                ("runtime_agreement", one.agreement),
            )
        ]

    def resource_records(self) -> list[Record]:
        """Return peak memory and energy; None if the machine cannot report them."""
        reply, images = self.reply, self.reply.passes * self.request.batch_size
        energy = None if reply.energy_j is None or self.inconclusive() else reply.energy_j / images
        on_host = self.facets.model_copy(update={"version": str(MEMORY_VERSION)})
        held = {"batch_size": self.request.batch_size, "base_memory_mib": reply.base_memory_mib}
        return [
            measured("peak_memory_mib", reply.peak_memory_mib, facets=on_host, setting=held),
            measured("peak_device_memory_mib", reply.peak_device_memory_mib, facets=self.facets),
            measured("energy_per_image_j", energy, facets=self.facets, n=images),
        ]


def save_samples(context: JobContext, metric: str, arrays: Mapping[str, Any]) -> None:
    """Write raw samples as ``samples_<metric>.npz`` into the job's folder."""
    import numpy as np

    with atomic_write(context.folder / f"samples_{metric}.npz") as file:
        np.savez_compressed(file, **arrays)
