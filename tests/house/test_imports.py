"""Who may import whom, and what the quick commands never import."""

import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "torchvision", "timm", "ray"}
QUICK = [
    ["--help"],
    ["plan", "ablations"],
    ["plan", "ablations", "--preset", "imagenet"],
    ["validate", "smoke"],
    ["schema"],
    ["list", "models"],
    ["gate", "--help"],
    ["compare", "tiny", "tiny"],
    ["why", "ls/train/seed0"],
    ["report"],
    ["status"],
]


def test_the_contracts_hold():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_ray_is_imported_in_files_called_ray_alone():
    graph = grimp.build_graph("lsbench", include_external_packages=True, cache_dir=None)
    importers = graph.find_modules_that_directly_import("ray")
    assert importers
    assert [name for name in importers if not name.rpartition(".")[2].startswith("ray_")] == []


@pytest.mark.parametrize("folder", ["metrics", "probes", "analyses", "jobs"])
def test_whatever_declares_quantities_is_read_without_torch(folder):
    names = sorted(path.stem for path in (ROOT / "lsbench" / folder).glob("*.py"))
    code = (
        f"import importlib, sys; [importlib.import_module('lsbench.{folder}.' + n) for n in {names!r}]\n"
        f"print(*({HEAVY!r} & set(sys.modules)), end='')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize("arguments", QUICK, ids=" ".join)
def test_what_answers_at_once_imports_nothing_heavy(arguments, tiny, make_graph, fill_store):
    results = fill_store(make_graph(tiny)).root.parents[1]
    takes_results = arguments[0] in ("plan", "report", "status", "compare", "why")
    arguments = [*arguments, *(["--results", str(results)] if takes_results else [])]
    code = (
        "import sys; from lsbench.cli.main import run_command\n"
        f"code = run_command({arguments!r})\n"
        f"print(*({HEAVY!r} & set(sys.modules)), file=sys.stderr, end='')\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
