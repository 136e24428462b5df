"""The example package beside lsbench: all its kinds run in one suite and are shown in every report."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "acme_plugin"
#: Metric -> title, without its unit in brackets, and unit of records.
NUMBERS = {
    "brier": ("Brier score", "ratio"),
    "conv_layers": ("convolution layers", "count"),
    "flip_agreement": ("flip agreement (%)", "fraction"),
    "mean_confidence": ("mean confidence (%)", "fraction"),
}
Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(site: Path, cache: Path) -> dict[str, str]:
    paths = [str(site), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "LSBENCH_CACHE": str(cache), "COLUMNS": "250"}


def install(source: Path, site: Path) -> None:
    """Install a package as pip does, into a folder of its own."""
    copy = site.parent / "source"
    subprocess.run(["cp", "-r", str(source), str(copy)], check=True)
    flags = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", *flags, str(copy)], check=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the example is installed."""
    site = tmp_path_factory.mktemp("acme") / "site"
    install(EXAMPLE, site)
    return site


@pytest.fixture(scope="module")
def lsbench(installed: Path, warm_python: str) -> Run:
    folder = installed.parent
    env = environment(installed, folder / "cache")

    def run(*words: str, expected: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [warm_python, "-P", "-m", "lsbench", *words],
            cwd=folder,
            env={**env, **more},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expected, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def results(lsbench: Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("results"))
    lsbench("run", str(EXAMPLE / "suite.yaml"), "--results", folder, "--scheduler", "inline")
    return folder


def test_its_plugins_are_listed_with_their_docstring_and_their_package(lsbench: Run) -> None:
    listed = lsbench("list", "metrics").stdout
    assert re.search(r"^brier +Brier score: squared .* \[acme-plugin 0\.1\]$", listed, re.MULTILINE)
    assert re.search(
        r"^acme_net +AcmeNet: .* \[acme-plugin 0\.1\]$", lsbench("list", "models").stdout, re.MULTILINE
    )
    assert "An even grey haze" in lsbench("list", "corruptions", "acme*").stdout
    assert "[acme-plugin 0.1]" in lsbench("list", "reports", "tsv").stdout


def test_its_suite_is_valid_and_planned_with_its_names(lsbench: Run, tmp_path: Path) -> None:
    assert (
        "acme (default): ok: 3 variants, 6 jobs each"
        in lsbench("validate", str(EXAMPLE / "suite.yaml")).stdout
    )
    planned = lsbench("plan", str(EXAMPLE / "suite.yaml"), "--results", str(tmp_path)).stdout
    assert "acme_net/train/seed0" in planned
    misspelt = tmp_path / "suite.yaml"
    misspelt.write_text((EXAMPLE / "suite.yaml").read_text().replace("model: acme_net", "model: acme_nett"))
    said = lsbench("validate", str(misspelt), expected=2).stderr
    assert "unknown model 'acme_nett' (did you mean 'acme_net'?)" in said


def test_its_model_is_found_by_name(lsbench: Run) -> None:
    told = lsbench("profile", "acme_net", "--img-size", "32", "--num-classes", "10").stdout
    assert told.startswith("acme_net: 32x32 pixels, 10 classes\nparams (M): 0.024")


def test_its_report_format_works(lsbench: Run, results: str) -> None:
    lines = lsbench("report", "acme", "--results", results, "--format", "tsv").stdout.splitlines()
    assert lines[0] == "# acme (default)"
    rows = list(csv.DictReader(lines[1:], delimiter="\t"))
    assert [row["variant"] for row in rows] == ["lsnet", "acme_mixer", "acme_net"]
    assert all(float(row["brier"]) > 0 for row in rows)


@pytest.mark.parametrize("name", ["console", "markdown"])
def test_text_tables_hold_every_number_with_its_title(lsbench: Run, results: str, name: str) -> None:
    words = ("report", "acme", "--results", results, "--format", name, "--all-columns")
    told = " ".join(lsbench(*words).stdout.split())
    assert [title for title, _ in NUMBERS.values() if title not in told] == []
    assert "acme haze" in told or "acme_haze" in told


@pytest.mark.parametrize("name", ["latex", "html"])
def test_pages_hold_every_number_with_its_title(
    lsbench: Run, results: str, tmp_path: Path, name: str
) -> None:
    file = tmp_path / f"report.{name}"
    lsbench("report", "acme", "--results", results, "--format", name, "--all-columns", "-o", str(file))
    told = " ".join(file.read_text(encoding="utf-8").replace("\\%", "%").split())
    assert [title for title, _ in NUMBERS.values() if title not in told] == []


def test_data_formats_hold_every_number_with_its_unit(lsbench: Run, results: str, tmp_path: Path) -> None:
    told = lsbench("report", "acme", "--results", results, "--format", "csv").stdout
    table = pd.read_csv(io.StringIO(told))
    file = tmp_path / "report.parquet"
    lsbench("report", "acme", "--results", results, "--format", "parquet", "-o", str(file))
    found = json.loads(lsbench("report", "acme", "--results", results, "--format", "json").stdout)
    [columns] = [{column["key"]: column for column in one["columns"]} for one in found["tables"]]
    for metric, (title, unit) in NUMBERS.items():
        assert table[metric].notna().all()
        assert pd.read_parquet(file)[metric].notna().all()
        assert (columns[metric]["title"], columns[metric]["unit"]) == (title, unit)


def test_every_number_is_stored_with_its_unit(results: str) -> None:
    lines = (Path(results) / "acme" / "default" / "records.jsonl").read_text().splitlines()
    units = {(record["metric"], record["unit"]) for record in map(json.loads, lines)}
    assert {(metric, unit) for metric, (_, unit) in NUMBERS.items()} <= units


BROKEN = {
    "mixers": (
        "acme_mixer",
        "MIXER = None\nraise OSError('no library')",
        "cannot be imported: OSError: no library",
    ),
    "metrics": (
        "brier",
        "METRIC = 3",
        "expected a function of (logits, targets), or an lsbench.metrics",
    ),
    "models": (
        "acme_net",
        "x = 1",
        "expected importing it to register a model 'acme_net' with timm",
    ),
    "jobs": ("flip", "JOB = print", "expected an lsbench.core.job.JobKind, found the function print"),
    "datasets": ("checkers", "DATASET = None", "expected an object with the methods of"),
    "probes": ("conv_layers", "PROBE = len", "expected a function of (model, img_size, context)"),
    "corruptions": ("acme_haze", "CORRUPTION = {}", "expected a function of (image, severity, rng)"),
    "analyses": ("confidence", "import no_such_library", "No module named 'no_such_library'"),
}


@pytest.mark.parametrize("group", BROKEN)
def test_a_broken_entry_point_is_one_line_of_validate(
    lsbench: Run, installed: Path, tmp_path: Path, group: str
) -> None:
    name, text, expected = BROKEN[group]
    site = tmp_path / "site"
    shutil.copytree(installed, site)
    (site / "acme_plugin" / f"{name}.py").write_text(text)
    env = environment(site, tmp_path / "cache")
    done = lsbench("validate", str(EXAMPLE / "suite.yaml"), expected=2, PYTHONPATH=env["PYTHONPATH"])
    [line] = [line for line in done.stderr.splitlines() if expected in line]
    assert f"(entry point lsbench.{group}: {name} = acme_plugin.{name} of acme-plugin 0.1)" in line
    assert len(done.stderr.splitlines()) <= 3  # a data set is named in `defaults` and so in each variant
    assert "Traceback" not in done.stderr
    assert "smoke (default): ok" in lsbench("validate", "smoke", PYTHONPATH=env["PYTHONPATH"]).stdout


def test_a_training_of_its_model_is_evaluated_and_exported(
    lsbench: Run, results: str, tmp_path: Path
) -> None:
    asked = ("acme_net/train/seed0", "--results", results)
    evaluated = lsbench("evaluate", *asked, "--metrics", "top1,brier").stdout.splitlines()
    assert [line.partition(" ")[0] for line in evaluated] == ["top-1", "Brier"]
    file = tmp_path / "acme.safetensors"
    assert "checked: loaded in timm" in lsbench("export", asked[0], str(file), *asked[1:]).stdout
    card = file.with_name("acme.safetensors.md").read_text(encoding="utf-8")
    assert "import acme_plugin.acme_net, timm\nmodel = timm.create_model('acme_net', " in card
    assert "Code of the model: acme-plugin 0.1" in card
    assert "| acme_net/evaluate/seed0 |" in card
