"""The verb ``profile``: the cost of one model, as a whole and by module."""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from lsbench.cli.one_model import (
    Device,
    DeviceOpt,
    MixerOpt,
    ModelArg,
    TaskOpt,
    check_device,
    check_model,
    record_lines,
)
from lsbench.cli.options import JsonOpt
from lsbench.core.counted import counted
from lsbench.core.quantity import quantity
from lsbench.detection.costs import DATA, Whole, cost_name, padded_size
from lsbench.detection.settings import PADDED_SIZES, TITLES, Task
from lsbench.timing.image_size import ImageSize, height_and_width, size_text
from lsbench.timing.request import Setting

if TYPE_CHECKING:
    from lsbench.core.record import Record
    from lsbench.models.cost_tree import ModuleCost
    from lsbench.models.macs import MacCount


class _Fusing(NamedTuple):
    """Parameters of a model before and after fusing, and the batch normalisations left."""

    params: int
    params_fused: int
    left: int | None


class _Precision(StrEnum):
    """Number formats of timed models."""

    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"
    int8 = "int8"


class By(StrEnum):
    """The ways to break a cost down."""

    module = "module"
    operator = "operator"


def profile(
    model: ModelArg,
    by: Annotated[By | None, typer.Option(help="Break the FLOPs down.")] = None,
    depth: Annotated[int, typer.Option(min=1, metavar="N", help="Levels of modules to show.")] = 2,
    mixer: MixerOpt = None,
    task: TaskOpt = None,
    img_size: Annotated[
        int | None,
        typer.Option(
            min=8, metavar="PX", help="Image size in pixels; default: 224, or the padded size of the task."
        ),
    ] = None,
    num_classes: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Classes; default: 1000, or 80 or 150 of the task.")
    ] = None,
    is_fused: Annotated[bool, typer.Option("--fused", help="Break down and time the fused model.")] = False,
    has_latency: Annotated[bool, typer.Option("--latency", help="Time single images.")] = False,
    has_throughput: Annotated[bool, typer.Option("--throughput", help="Time batches.")] = False,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Batch of --throughput; default: 64, or 1 with --task."),
    ] = None,
    max_s: Annotated[float, typer.Option(min=0.1, metavar="S", help="Seconds timed at most, each.")] = 20.0,
    runtime: Annotated[
        str, typer.Option(metavar="NAME", help="What runs the timed model; see `lsbench list runtimes`.")
    ] = "eager",
    precision: Annotated[_Precision, typer.Option(help="Of the timed model.")] = _Precision.fp32,
    device: DeviceOpt = Device.auto,
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="CPU threads of timings.")] = 1,
    as_json: JsonOpt = False,
) -> None:
    """Show the cost of one model: parameters, FLOPs, the operators that could not be counted, and timings.

    Timings are taken as the job `profile` of a suite takes them, in a fresh process.
    """
    check_model(model, mixer)
    where = check_device(device) if has_latency or has_throughput else "cpu"
    whole = None if task is None else _whole(task.value, img_size, num_classes)
    size = (img_size or 224) if whole is None else whole.size
    classes = (num_classes or 1000) if whole is None else whole.num_classes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch warns about its own code
        plain, paper, tree, fusing = _measure(model, mixer, size, classes, whole, is_fused)
    found: dict[str, Any] = {
        "params": fusing.params,
        "params_fused": fusing.params_fused,
        "macs": plain.total,
        "macs_paper": paper.total,
        "uncounted_ops": sum(plain.uncounted.values()),
    }
    wanted = {"latency": 1} if has_latency else {}
    wanted |= {"throughput": batch_size or (64 if whole is None else 1)} if has_throughput else {}
    setting = {"fused": is_fused, "threads": threads, "runtime": runtime, "precision": precision.value}
    if wanted:
        from lsbench.probes._programs import check_runtime

        check_runtime(Setting.model_validate(setting), where, is_whole=whole is not None)
    timed = {"subject": {"model": model, "mixer": mixer}, "num_classes": classes, "img_size": size}
    timed |= {} if whole is None else {"whole": whole.task}
    timings = [
        record if whole is None else whole.record(record)
        for probe, batch in wanted.items()
        for record in _timed(probe, batch, max_s, {**timed, "device": where, "setting": setting})
    ]
    operators = (paper if is_fused else plain).by_operator
    if as_json:
        line = {"model": model, "mixer": mixer, "img_size": size, "fused": is_fused, **found}
        line |= {"num_classes": classes} | ({} if whole is None else {"task": whole.task})
        line |= {"uncounted": plain.uncounted, "unfused_norms": fusing.left}
        line |= {"by_operator": operators} if by is By.operator else {}
        line |= {"by_module": _nested(tree, depth)} if by is By.module else {}
        line |= {"timings": [record.model_dump(mode="json") for record in timings]} if timings else {}
        typer.echo(json.dumps(line))
        return
    subject = model if mixer is None else f"{model} with {mixer}"
    subject = subject if whole is None else f"{TITLES[whole.task]} on {subject}"
    typer.echo(f"{subject}: {size_text(height_and_width(size))} pixels, {counted(classes, 'class')}")
    for name, value in found.items():
        shown_as = quantity(name if whole is None else cost_name(whole.task, name))
        typer.echo(f"{shown_as.title}: {value * shown_as.scale:.{shown_as.digits}f}")
    names = ", ".join(f"{name} {calls}x" for name, calls in sorted(plain.uncounted.items()))
    typer.echo(f"  without a formula: {names or 'none'}")
    if fusing.left:
        typer.echo(f"  batch normalisations left in the fused model: {fusing.left}")
    if by is By.operator:
        for name, macs in sorted(operators.items(), key=lambda pair: -pair[1]):
            typer.echo(f"  {name:32s} {_cost(macs, tree.macs)}")
    if by is By.module:
        _print_tree(tree, depth)
    told = [record for record in timings if record.value is not None or "inconclusive" in record.setting]
    for text in record_lines(told):
        typer.echo(text)


def _whole(task: Task, img_size: int | None, num_classes: int | None) -> Whole:
    """Return a detector or segmenter of the published size, or as given."""
    size = PADDED_SIZES[task] if img_size is None else padded_size(img_size, img_size)
    return Whole(task, num_classes or DATA[task][1], size)


def _measure(
    model: str, mixer: str | None, size: ImageSize, classes: int, whole: Whole | None, is_fused: bool
) -> tuple[MacCount, MacCount, ModuleCost, _Fusing]:
    """Return the costs of a model, unfused and fused, the modules of one of the two, and what fusing did."""
    from lsbench.models.cost_tree import cost_tree
    from lsbench.models.fusion import fuse, unfused_norms
    from lsbench.models.macs import count_macs
    from lsbench.timing.passes import create_timed
    from lsbench.timing.request import TimedModel

    task = None if whole is None else whole.task
    subject = TimedModel(model=model, mixer=mixer)
    built = create_timed(subject, task, num_classes=classes, img_size=size)
    fused, shape = fuse(built), (3, *height_and_width(size))
    plain, paper = count_macs(built, shape), count_macs(fused, shape)
    trees = cost_tree(built, plain), cost_tree(fused, paper)
    fusing = _Fusing(trees[0].params, trees[1].params, unfused_norms(fused))
    return plain, paper, trees[is_fused], fusing


def _timed(probe: str, batch: int, max_s: float, fields: dict[str, Any]) -> list[Record]:
    """Return the records of one timing."""
    from lsbench.probes._programs import Workshop
    from lsbench.probes._timing import timed
    from lsbench.probes.latency import SAMPLES as LATENCY_SAMPLES
    from lsbench.probes.latency import latency_records
    from lsbench.probes.throughput import SAMPLES, throughput_records
    from lsbench.timing.request import Request

    is_latency = probe == "latency"
    budget = {"max_s": max_s, "min_s": min(1.0, max_s)}
    budget["min_samples"] = LATENCY_SAMPLES if is_latency else SAMPLES
    request = Request.model_validate({**fields, "seed": 0, "batch_size": batch, "budget": budget})
    with tempfile.TemporaryDirectory(prefix="lsbench-") as folder:
        found = timed(Workshop(Path(folder), {"name": "fashion"}), request, batch=batch)
    return latency_records(found) if is_latency else throughput_records(found)


def _cost(macs: int, total: int) -> str:
    return f"{macs / 1e6:9.3f} M  {100 * macs / max(total, 1):5.1f} %"


def _nested(cost: ModuleCost, depth: int) -> dict[str, Any]:
    inside = [_nested(child, depth - 1) for child in cost.children] if depth > 0 else []
    own: dict[str, Any] = {"name": cost.name, "kind": cost.kind, "macs": cost.macs, "params": cost.params}
    return {**own, "children": inside} if inside else own


def _print_tree(cost: ModuleCost, depth: int) -> None:
    from rich.text import Text
    from rich.tree import Tree

    from lsbench.rendering.console import create_console

    def label(part: ModuleCost) -> Text:
        share = f"{_cost(part.macs, cost.macs)}  {part.params / 1e6:7.3f} M params"
        return Text(f"{part.name} ({part.kind})  {share}")

    trees = {0: Tree(label(cost))}
    for level, part in cost.walk(depth):
        if level:
            trees[level] = trees[level - 1].add(label(part))
    create_console(sys.stdout).print(trees[0])
