"""The GPU tests of SKA need torch, timm, triton and ray, and nothing that these do not bring along."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "gpu_alone.py"
RUN = "import runpy, sys; sys.modules.update(dict.fromkeys(sys.argv.pop(1).split(','))); "
RUN += "runpy.run_path(sys.argv.pop(1), run_name='__main__')"


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def brought_by(*names):
    """Return these packages and those that they need, without extras."""
    found, waiting = set(), list(names)
    while waiting:
        name = normal(waiting.pop())
        if name in found:
            continue
        found.add(name)
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # of another platform
            continue
        waiting += [re.match(r"[\w.-]+", need)[0] for need in needs if "extra ==" not in need]
    return found


def test_they_import_nothing_else():
    there = brought_by("torch", "timm", "triton", "ray")
    assert "numpy" in there
    assert "pydantic" not in there
    absent = [
        module
        for module, packages in metadata.packages_distributions().items()
        if module != "lsbench" and not there & set(map(normal, packages)) and module.isidentifier()
    ]
    assert {"pytest", "pydantic", "numba", "pandas", "hypothesis"} <= set(absent)
    command = [sys.executable, "-c", RUN, ",".join(absent), str(SCRIPT), "--list"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = done.stdout.splitlines()
    assert len(names) == len(set(names)) > 10
    assert "test_ska_triton::test_the_gpu_tail_equals_the_four_steps[tail, channels_last]" in names
