"""The code of two mixers of another package is edited between runs: what runs again, and what readers say."""

import json
import os
import sys

import pytest
import yaml

from lsbench.cli.main import run_command
from lsbench.core.entry_points import outside_plugins

MIXER = """
from torch import nn
from acme.ops import width

class Mixer(nn.Conv2d):
    def __init__(self, dim, kernel={kernel}):
        super().__init__(dim, dim, width(kernel), padding=kernel // 2, groups=dim)

MIXER = Mixer
"""
SUITE = {
    "version": 1,
    "name": "edited",
    "defaults": {
        "model": "lsnet_nano",
        "dataset": {"name": "fashion", "train_images": 20, "val_images": 10, "test_images": 10},
    },
    "variants": [{"name": "one", "mixer": "acme_one"}, {"name": "two", "mixer": "acme_two"}],
    "jobs": [{"train": {"epochs": 1, "batch_size": 20}}, "evaluate"],
    "gate": [{"metric": "top1", "min_effect": 0.5}],
}


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """Install the package; return what writes one of its files, as an editor does while no process runs."""
    site = tmp_path / "site"
    info = site / "acme-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: acme\\nVersion: 1\\n".replace("\\n", "\n"))
    (info / "entry_points.txt").write_text("[lsbench.mixers]\nacme_one = acme:One\nacme_two = acme.two\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))

    def write(name, text):
        (site / "acme").mkdir(exist_ok=True)
        (site / "acme" / f"{name}.py").write_text(text)
        for module in [module for module in sys.modules if module.partition(".")[0] == "acme"]:
            del sys.modules[module]
        outside_plugins.cache_clear()

    write("__init__", "from acme.one import Mixer as One\nfrom acme.two import Mixer as Two\n")
    write("ops", "def width(kernel):\n    return kernel\n")
    write("one", MIXER.format(kernel=3))
    write("two", MIXER.format(kernel=3))
    yield write
    outside_plugins.cache_clear()


def test_results_follow_the_code_of_the_mixers(acme, tmp_path, capsys):
    suite, results = tmp_path / "edited.yaml", tmp_path / "results"
    suite.write_text(yaml.safe_dump(SUITE))

    def lsbench(*words, expected=0):
        assert run_command([*words, "--results", str(results)]) == expected, capsys.readouterr()
        return capsys.readouterr().out

    def states():
        rows = map(json.loads, lsbench("plan", str(suite), "--json").splitlines())
        return {row["job"]: row["state"] for row in rows}

    lsbench("run", str(suite), "--scheduler", "inline")
    lsbench("gate", str(suite), "--no-run", "--update-baseline")
    assert set(states().values()) == {"done"}
    acme("one", f'"""Documented."""\n# and commented\n{MIXER.format(kernel=3)}')
    assert set(states().values()) == {"done"}

    acme("one", MIXER.format(kernel=5))
    due = {"one/train/seed0", "one/evaluate/seed0"}
    assert {job for job, state in states().items() if state != "done"} == due
    reason = "code of mixer acme_one changed (acme/one.py)"
    assert f"due: 2 jobs, as {reason}" in lsbench("plan", str(suite))
    assert f"due: 2 jobs, as {reason}" in lsbench("status")
    assert f"due: 2 results are left out, as {reason}" in lsbench("report", "edited").replace("\n", " ")
    assert f"due: {reason}" in lsbench("why", "one/train/seed0")
    assert "one/train/seed0" in lsbench("gate", str(suite), "--no-run", expected=3)

    lsbench("run", str(suite), "--scheduler", "inline")
    assert set(states().values()) == {"done"}
    earlier = results / "edited" / "default" / "earlier"
    assert sorted(path.name.partition("-")[0] for path in earlier.iterdir()) == ["evaluate", "train"]
    assert "due" not in lsbench("report", "edited")
    acme("ops", "def width(kernel):\n    return kernel + 2\n")
    assert set(states().values()) == {"to run"}
