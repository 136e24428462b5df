"""Who may import whom, and what the quick commands never import."""

import json
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
OF_RESULTS = ("plan", "report", "status", "compare", "why")
#: Runs commands one after another; prints of each its code, the heavy packages by then, whether it answered
#: anything, and its complaints.
ANSWERS = """
import contextlib, io, json, sys
from lsbench.cli.main import run_command
heavy, commands = json.loads(sys.argv[1])
found = []
for words in commands:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = run_command(words)
    imported = [name for name in heavy if name in sys.modules]
    found.append([code, imported, out.getvalue() != "", err.getvalue()])
print(json.dumps(found))
"""


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


@pytest.mark.parametrize(
    "words", [words for words in QUICK if words[0] in ("plan", "validate", "schema", "list")]
)
def test_what_reads_no_result_reads_no_arrays(words):
    told = json.dumps([["numpy", "pandas", "scipy", "numba", "PIL"], [words]])
    done = subprocess.run([sys.executable, "-c", ANSWERS, told], capture_output=True, text=True, check=False)
    assert json.loads(done.stdout) == [[0, [], True, ""]]


def test_what_answers_at_once_imports_nothing_heavy(tiny, make_graph, fill_store):
    results = ["--results", str(fill_store(make_graph(tiny)).root.parents[1])]
    commands = [[*words, *(results if words[0] in OF_RESULTS else [])] for words in QUICK]
    told = json.dumps([sorted(HEAVY), commands])
    done = subprocess.run([sys.executable, "-c", ANSWERS, told], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = dict(zip(map(" ".join, QUICK), json.loads(done.stdout), strict=True))
    assert found == {" ".join(words): [0, [], True, ""] for words in QUICK}
