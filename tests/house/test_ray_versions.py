"""Ray's versions are those that the tests of clusters were run with, and the page on clusters names them."""

import re
import tomllib
from pathlib import Path

import ray
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def test_the_page_names_every_minor_version_that_may_be_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [ours] = [one for one in map(Requirement, project["dependencies"]) if one.name == "ray"]
    page = (ROOT / "docs" / "clusters.md").read_text(encoding="utf-8")
    [told] = re.findall(r"Ray (2\.\d+) and (2\.\d+)", page)
    allowed = [f"2.{minor}" for minor in range(200) if ours.specifier.contains(f"2.{minor}.0")]
    assert [*told] == allowed
    assert ours.specifier.contains(ray.__version__)
