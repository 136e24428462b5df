"""Adding a metric, a probe, an analysis or a job kind is one file: in a copy of the package, it is used."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lsbench

SUITE = """\
version: 1
name: one_file
defaults:
  model: lsnet_nano
  dataset: {name: fashion, train_images: 40, val_images: 20, test_images: 20}
variants:
  - {name: identity, mixer: identity}
jobs:
  - train: {epochs: 1, batch_size: 20}
  - evaluate: {metrics: [top1, doubt]}
  - profile: {probes: [params, modules]}
  - analyze: {kind: brightness, num_images: 4}
  - weigh
"""
FILES = {
    "metrics/doubt.py": '''
"""Doubt: one minus the confidence of the answer, averaged over the images."""

from lsbench.core.quantity import Quantity

QUANTITIES = (Quantity("doubt", "fraction", False, "doubt (%)", 100.0, is_headline=True),)


def doubt(logits, targets):
    """Return one minus the largest probability of each image."""
    return 1 - logits.softmax(dim=1).amax(dim=1)


METRIC = doubt
''',
    "probes/modules.py": '''
"""Modules: how many parts a model is made of."""

from lsbench.core.facets import Facets
from lsbench.core.quantity import Quantity
from lsbench.core.record import measured

QUANTITIES = (Quantity("modules", "count", False, "modules", digits=0),)


def count_modules(model, img_size, context):
    """Return the number of modules."""
    count = float(len(list(model.modules())))
    return [measured("modules", count, facets=Facets(method="modules", version="1"))]


PROBE = count_modules
''',
    "analyses/brightness.py": '''
"""Brightness of the images that a model is shown."""

from lsbench.analyses import Analysis, Findings, finding

QUANTITIES = (finding("brightness", "fraction", "brightness (%)", scale=100.0, digits=1),)


def analyse(subject):
    """Return the mean brightness of each image."""
    brightness = subject.pictures.mean(axis=(1, 2, 3))
    return Findings(arrays={"pictures": subject.pictures}, per_image={"brightness": brightness})


def draw(arrays, figure, title):
    """Draw the first image."""
    figure.subplots().imshow(arrays["pictures"][0])


ANALYSIS = Analysis(analyse, draw, QUANTITIES)
''',
    "jobs/weigh.py": '''
"""Weigh: what the weights of a trained variant would weigh on disk."""

from lsbench.core.facets import Facets
from lsbench.core.job import JobKind, JobSpec
from lsbench.core.quantity import Quantity
from lsbench.core.record import measured

QUANTITIES = (Quantity("weights_mib", "MiB", False, "weights (MiB)", is_headline=True),)


def run(context):
    """Return the size of the training's weights."""
    size = sum(file.stat().st_size for file in context.needs["train"].rglob("weights.pt"))
    return [measured("weights_mib", size / 2**20, facets=Facets(method="weigh", version="1"))]


JOB = JobKind(spec=JobSpec, run=run, version=1, cost=lambda spec, macs, images: 0.0, needs=("train",))
''',
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Return the report of a suite that uses the new files, as JSON, Markdown and HTML."""
    place = tmp_path_factory.mktemp("copy")
    shutil.copytree(
        Path(lsbench.__file__).parent, place / "lsbench", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name, text in FILES.items():
        (place / "lsbench" / name).write_text(text.lstrip())
    (place / "suite.yaml").write_text(SUITE)
    env = {**os.environ, "PYTHONPATH": str(place)}

    def call(*words):
        command = [sys.executable, "-m", "lsbench", *words]
        done = subprocess.run(command, cwd=place, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    call("run", "suite.yaml", "--scheduler", "inline")
    formats = ("json", "markdown", "html", "console")
    return {name: call("report", "one_file", "--format", name, "--all-columns") for name in formats}


@pytest.mark.parametrize(
    ("metric", "title", "unit"),
    [
        ("doubt", "doubt (%)", "fraction"),
        ("modules", "modules", "count"),
        ("brightness", "brightness (%)", "fraction"),
        ("weights_mib", "weights (MiB)", "MiB"),
    ],
)
def test_its_number_is_in_every_report(metric, title, unit, told):
    table = json.loads(told["json"])["tables"][0]
    [column] = [one for one in table["columns"] if one["key"] == metric]
    assert (column["title"], column["unit"]) == (title, unit)
    assert table["rows"][0][metric] is not None
    for name in ("markdown", "html", "console"):
        assert title in told[name]
