"""The pipelines call commands that exist."""

import shlex
from pathlib import Path

import pytest
import yaml

from lsbench.cli.main import run_command

ROOT = Path(__file__).resolve().parents[2]
PIPELINES = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), *sorted((ROOT / "ci").glob("*.yml"))]


def commands(text):
    """Return every lsbench command of a pipeline, as words."""
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        _, found, rest = line.partition("lsbench gate ")
        if found and not line.lstrip().startswith(("#", "echo")):
            yield shlex.split(rest.partition("||")[0])


def flat(value):
    """Return all texts in a document."""
    if isinstance(value, dict):
        value = list(value.values())
    return [text for item in value for text in flat(item)] if isinstance(value, list) else [str(value)]


def test_there_are_pipelines():
    assert {path.name for path in PIPELINES} == {"ci.yml", "nightly.yml", "gitlab-nightly.yml"}


@pytest.mark.parametrize(
    "path", [path for path in PIPELINES if path.name != "ci.yml"], ids=lambda path: path.name
)
def test_a_nightly_pipeline_judges_and_updates_one_baseline_whose_path_stands_once(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("results/baselines/nightly.json") == text.count("BASELINE: results/") == 1
    found = [words for script in flat(yaml.safe_load(text)) for words in commands(script)]
    assert sorted("--update-baseline" in words for words in found) == [False, True]
    assert {words[words.index("--baseline") + 1] for words in found} == {"$BASELINE"}


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.name)
def test_every_command_has_flags_that_exist(path, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    scripts = flat(yaml.safe_load(path.read_text(encoding="utf-8")))
    found = [words for script in scripts for words in commands(script)]
    assert bool(found) == (path.name != "ci.yml")
    for words in found:
        # Every flag is known and takes what is given: what is missing is only that suite.
        assert run_command(["gate", "no-such-suite", *words[1:]]) == 2
        assert "no-such-suite: no such suite file" in capsys.readouterr().err
        assert words[0] == "nightly"
