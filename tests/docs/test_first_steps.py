"""A newcomer follows docs/first_steps.md: an own mixer in an own package is in a report."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "first_steps.md").read_text(encoding="utf-8")
#: Cut short: what is tested is the way, not the numbers.
SHORT = "--limit 1 --seeds 0 --scheduler inline --set jobs.profile.max_s=0.2 --set jobs.profile.min_s=0"


def block(language):
    [text] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return text


def cost_of(name, text):
    """Return the last two cells of a row, without what marks the best."""
    plain = re.sub(r"\\|\*|</?ins>", "", text)
    [row] = [line for line in plain.splitlines() if line.startswith(f"| {name} |")]
    return row.split("|")[-3:-1]


@pytest.fixture
def shell(tmp_path):
    """Run one line of the page in a folder outside of the checkout; its packages are in `site`."""
    site = tmp_path / "site"
    found = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{site}", "COLUMNS": "160"}

    def run(line):
        assert line in PAGE
        line = line.replace(
            "pip install -e ", f"pip install --no-deps --no-build-isolation --target {site} ./"
        )
        line = line.replace("run first_steps.yaml", f"run first_steps.yaml {SHORT}")
        words = [sys.executable, "-P", "-m", *line.replace("'", "").split()]
        done = subprocess.run(words, cwd=tmp_path, env=found, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_an_own_mixer_in_an_own_package_is_in_a_report(shell, tmp_path):
    shell("lsbench new mixer big_kernel --package my_mixers")
    (tmp_path / "my_mixers" / "my_mixers" / "big_kernel.py").write_text(block("python"), encoding="utf-8")
    (tmp_path / "first_steps.yaml").write_text(block("yaml"), encoding="utf-8")
    shell("pip install -e my_mixers")
    assert "big_kernel" in shell("lsbench list mixers 'big*'")
    shell("pytest my_mixers")
    assert "4 variants" in shell("lsbench validate first_steps.yaml")
    assert "big_kernel_11/train/seed2" in shell("lsbench plan first_steps.yaml")
    shell("lsbench run first_steps.yaml")
    shown = shell("lsbench report first_steps --format markdown --columns 'top1*,params,macs'")
    for name in ("LS conv (baseline)", "no mixer", "big_kernel_5", "big_kernel_11"):
        assert cost_of(name, shown) == cost_of(name, PAGE), "parameters and FLOPs are those of the page"
