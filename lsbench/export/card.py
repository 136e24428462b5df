"""The model card of an exported file: what it is, from where, how good, and how to load it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions
from typing import Any

from timm.models import model_entrypoint

from lsbench.core.counted import counted
from lsbench.core.env import package_version
from lsbench.core.registry import MIXERS
from lsbench.detection.settings import TITLES
from lsbench.export.downstream import WholeToExport
from lsbench.export.formats import Exported
from lsbench.export.numbers import Known
from lsbench.export.subject import ModelToExport
from lsbench.models.programs import INPUT, OPSET
from lsbench.rendering.one_job import number_text
from lsbench.tables.one_job import OneJob

LSNET = "Wang et al., LSNet: See Large, Focus Small, CVPR 2025, arXiv:2503.23135"
#: Format of a detector's or segmenter's weights -> whose names they have.
LAYOUTS = {
    "pth": "the authors', which mmdetection 2 and mmsegmentation load as `state_dict`",
    "safetensors": "those of lsbench",
}
#: Settings of a training that say where it ran, not how.
RUNTIME = ("data_workers", "checkpoint_url", "loggers", "log_every")


def write_card(subject: ModelToExport, exported: Exported, file: str, numbers: list[Known]) -> str:
    """Return a model card as Markdown.

    Args:
        subject: The model.
        exported: Its file.
        file: The file's name.
        numbers: What is known of it.
    """
    sections = {
        f"{subject.title} ({exported.kind})": _what(subject, exported, file),
        "Load it": _loading(subject, exported, file),
        "Numbers": _numbers(numbers),
        "Training": _training(subject),
        "Check": [_check(exported)],
        "Versions": [_versions(subject)],
        "Licence and citation": _origin(subject),
    }
    blocks = []
    for number, (title, lines) in enumerate(sections.items()):
        blocks.append("\n".join([f"{'#' if number == 0 else '##'} {title}", "", *lines]))
    return "\n\n".join(blocks) + "\n"


def _check(exported: Exported) -> str:
    text = str(exported.check or "not checked: onnxruntime is not installed")
    return f"{text[0].upper()}{text[1:]}."


def _what(subject: ModelToExport, exported: Exported, file: str) -> Iterator[str]:
    options = "".join(f", {key} {value}" for key, value in subject.arguments.items())
    yield f"- File: `{file}`, {len(exported.content) / 2**20:.1f} MiB"
    built = (
        f"{TITLES[subject.task]} on {subject.name}" if isinstance(subject, WholeToExport) else subject.name
    )
    yield f"- Model: {built}{options}; {counted(subject.num_classes, 'class')}"
    if isinstance(subject, WholeToExport):
        yield from _whole(subject, exported)
    yield f"- Weights: {subject.weights}"
    if exported.shape is not None:
        form = "fused for evaluation" if exported.is_fused else "not fused"
        opset = f", ONNX opset {OPSET}, torch's exporter (dynamo)" if exported.kind == "onnx" else ""
        taken = f"the fixed shape {_shape(exported.shape)}"
        if None in exported.shape:
            taken = "any number and size"
        yield f"- Program: {form}, for images of {taken}, float32{opset}"
    side = f"{subject.img_size} x {subject.img_size} pixels"
    if isinstance(subject, WholeToExport):
        side = f"shorter side {subject.img_size} pixels, padded to {_shape(subject.size)} at most"
    yield f"- Images: RGB, {side}, values in [0, 1], {_normalised(subject)}"


def _whole(subject: WholeToExport, exported: Exported) -> Iterator[str]:
    """Yield the lines about a detector or segmenter: kind, classes, sizes, and whose names weights have."""
    yield f"- Built on it: {TITLES[subject.task]}"
    if subject.classes:
        yield f"- Classes, in the order of labels: {', '.join(subject.classes)}"
    if subject.head:
        yield f"- Sizes that differ from the published ones: {_settings(subject.head)}"
    yield f"- Names of the weights: {LAYOUTS[exported.kind]}"


def _normalised(subject: ModelToExport) -> str:
    if subject.normalisation is None:
        return "normalised as its data set"
    mean, std = (", ".join(f"{value:.4g}" for value in values) for values in subject.normalisation)
    return f"minus the mean ({mean}), divided by the standard deviation ({std})"


def _shape(shape: tuple[int | None, ...]) -> str:
    return "x".join(map(str, shape))


def loading_lines(subject: ModelToExport, exported: Exported, file: str) -> list[str]:
    """Return two lines of Python that load a file."""
    if exported.kind == "onnx":
        return ["import onnxruntime", f"model = onnxruntime.InferenceSession({file!r})"]
    if exported.kind == "pt2":
        return ["import torch", f"model = torch.export.load({file!r}).module()"]
    if isinstance(subject, WholeToExport):
        return _loading_whole(subject, file)
    given = {**exported.arguments, "checkpoint_path": file}
    options = ", ".join(f"{key}={value!r}" for key, value in given.items())
    home = model_entrypoint(subject.name).__module__
    registers = {"timm": "", "lsbench": "lsbench.models, "}.get(home.partition(".")[0], f"{home}, ")
    is_plain = registers == "" and "mixer" not in subject.arguments
    imports = "timm" if is_plain else f"{registers or 'lsbench.models, '}timm"
    return [f"import {imports}", f"model = timm.create_model({subject.name!r}, {options}).eval()"]


def _loading_whole(subject: WholeToExport, file: str) -> list[str]:
    given: dict[str, Any] = {"num_classes": subject.num_classes, "checkpoint": file, **subject.arguments}
    options = [f"{key}={value!r}" for key, value in given.items()]
    lines = ["from lsbench.models import create_downstream"]
    if subject.head:
        lines.append("from lsbench.detection.settings import SETTINGS")
        options.append(f"settings=SETTINGS[{subject.task!r}](**{subject.head!r})")
    return [
        *lines,
        f"model = create_downstream({subject.task!r}, {subject.name!r}, {', '.join(options)}).eval()",
    ]


def _loading(subject: ModelToExport, exported: Exported, file: str) -> Iterator[str]:
    yield "```python"
    yield from loading_lines(subject, exported, file)
    yield "```"
    yield ""
    if isinstance(subject, WholeToExport):
        yield "`model.predict(images, image_sizes, original_sizes)` gives what it finds in each image."
    elif exported.kind == "onnx":
        yield f'`model.run(None, {{"{INPUT}": images}})[0]` gives the logits of a float32 array of images.'
    else:
        yield "`model(images)` gives the logits."
    if exported.kind == "pt2":
        yield f"It was written by torch {package_version('torch')}; an older torch may not read it."


def _numbers(numbers: list[Known]) -> Iterator[str]:
    if not numbers:
        yield "None are known."
        return
    yield "| number | protocol | data set | job |"
    yield "| --- | --- | --- | --- |"
    for one in numbers:
        number = one.number
        cells = (
            number_text(number),
            number.protocol,
            number.dataset or "-",
            one.job or "counted for this card",
        )
        yield "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
    if any(one.number.ci_low is not None for one in numbers):
        yield ""
        yield "In brackets: the 95 % interval over the images. Another seed may lie outside."


def _training(subject: ModelToExport) -> Iterator[str]:
    training = subject.training
    if training is None:
        yield (
            "Not known: the weights come from outside of a suite."
            if "random" not in subject.weights
            else "None."
        )
        return
    job, known = training.known.job, training.known
    yield f"- Job: {known.label}, `{known.id}`, of the suite {known.place}; {known.state()}"
    if job is not None:
        yield f"- Seed: {job.seed}" + (f"; limited to {counted(job.limit, 'step')}" if job.limit else "")
    dataset = subject.dataset
    yield f"- Data set: {dataset.pop('name', 'unknown')} ({_settings(dataset)})"
    if job is not None and job.dataset_fingerprint:
        yield f"- Fingerprint of the data: `{job.dataset_fingerprint[:16]}`"
    recipe = {key: value for key, value in (training.settings or {}).items() if key not in RUNTIME}
    yield f"- Recipe: {_settings(recipe)}"


def _settings(values: Mapping[str, Any], prefix: str = "") -> str:
    """Return settings as one line; those that are off are left out."""
    parts = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            parts.append(_settings(value, f"{prefix}{key}."))
        elif value not in (None, False, [], ()) and key != "root":
            parts.append(f"{prefix}{key} {value}")
    return ", ".join(part for part in parts if part)


def _versions(subject: ModelToExport) -> str:
    here = ", ".join(f"{name} {package_version(name)}" for name in ("lsbench", "torch", "timm"))
    training: OneJob | None = subject.training
    where = {} if training is None else training.line.get("provenance") or {}
    if not where:
        return f"Exported with {here}."
    commit = f" (commit {str(where['git_sha'])[:12]})" if where.get("git_sha") else ""
    then = ", ".join(f"{name} {where.get(name)}" for name in ("torch", "timm"))
    return f"Trained with lsbench {where.get('lsbench')}{commit}, {then}. Exported with {here}."


def _origin(subject: ModelToExport) -> Iterator[str]:
    home = model_entrypoint(subject.name).__module__.partition(".")[0]
    cfg = getattr(subject.model, "pretrained_cfg", {}) or {}
    yield f"- Code of the model: {_package(home)}"
    if subject.weights.startswith("those that"):
        yield f"- Weights: {cfg.get('license') or 'see their authors'}; {cfg.get('origin_url') or ''}".rstrip(
            "; "
        )
    elif subject.training is not None:
        name = subject.dataset.get("name")
        yield f"- Weights: made with the data set {name}, whose terms apply; no other licence is stated"
    else:
        yield "- Weights: no licence is stated"
    papers = (
        [LSNET]
        if home == "lsbench"
        else [str(cfg.get(key)) for key in ("paper_name", "paper_ids") if cfg.get(key)]
    )
    yield f"- Model: {', '.join(papers) or f'see {home}'}"
    if mixer := subject.arguments.get("mixer"):
        yield f"- Token mixer {mixer}: {_source(mixer) or 'see its package'}"
    yield f"- Tool: {_package('lsbench')}, see its CITATION.cff"


def _package(module: str) -> str:
    """Return name, version and licence of the package that a module belongs to."""
    try:
        found = metadata(module)
    except PackageNotFoundError:  # its package has another name: the files of all packages tell it
        names = packages_distributions().get(module)
        if not names:
            return module
        found = metadata(names[0])
    named = [found[key] for key in ("License-Expression", "License") if key in found]
    licence = (named or ["licence not stated"])[0]
    return f"{found['Name']} {found['Version']} ({licence.splitlines()[0]})"


def _source(mixer: str) -> str:
    """Return the source that the docstring of a mixer's module names, on one line."""
    module = inspect.getmodule(MIXERS.load(mixer))
    text = inspect.getdoc(module) or "" if module else ""
    found = re.search(r"^Source:\n((?: +.*\n?)+)", text, re.MULTILINE)
    return " ".join(found.group(1).split()) if found else ""
