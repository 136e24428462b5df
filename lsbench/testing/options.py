"""pytest options that select the plug-ins under test: ``--mixer NAME`` and one for each other kind.

pytest loads this file whenever lsbench is installed, so it must not import lsbench at the top.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lsbench.core.registry import Registry

HERE = Path(__file__).resolve().parent
#: Option -> object of "test ..." in the help.
KINDS = {
    "mixer": "a token mixer",
    "family": "a model family",
    "model": "a model",
    "dataset": "a data set",
    "metric": "a metric",
    "probe": "a probe",
    "analysis": "an analysis",
    "job": "a job kind",
    "runtime": "a runtime",
    "logger": "a logger",
    "report": "a report format",
    "corruption": "a corruption",
}
#: The file of the tests for all kinds.
EVERY_KIND = "test_every_kind.py"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add an option for each kind of plug-in, and one for the settings of the plug-in under test."""
    group = parser.getgroup("lsbench", "lsbench plug-ins to test with --pyargs lsbench.testing")
    for kind, words in KINDS.items():
        group.addoption(
            f"--{kind}",
            action="append",
            default=[],
            dest=f"lsbench_{kind}",
            metavar="NAME",
            help=f"test {words}",
        )
    group.addoption(
        "--settings",
        default="{}",
        dest="lsbench_settings",
        metavar="JSON",
        help="settings of the data set or job under test, instead of its defaults",
    )


def chosen(config: pytest.Config, kind: str) -> list[str]:
    """Return the names given to an option."""
    names: list[str] = config.getoption(f"lsbench_{kind}", [])
    return names


def registry_of(kind: str) -> Registry:
    """Return the registry of the kind that an option names."""
    from lsbench import corruptions
    from lsbench.core import registry

    kinds = {
        "mixer": registry.MIXERS,
        "family": registry.FAMILIES,
        "model": registry.MODELS,
        "dataset": registry.DATASETS,
        "metric": registry.METRICS,
        "probe": registry.PROBES,
        "analysis": registry.ANALYSES,
        "job": registry.JOBS,
        "runtime": registry.RUNTIMES,
        "logger": registry.LOGGERS,
        "report": registry.REPORTS,
        "corruption": corruptions.KINDS,
    }
    return kinds[kind]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip the test files of kinds without a selected plug-in."""
    if collection_path.parent != HERE or not collection_path.name.startswith("test_"):
        return None
    kinds = [kind for kind in KINDS if chosen(config, kind)]
    if collection_path.name == EVERY_KIND:
        return None if kinds else True
    return None if collection_path.stem.removeprefix("test_") in kinds else True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test of this folder once for each selected plug-in."""
    file = Path(str(metafunc.module.__file__)).resolve()
    if file.parent != HERE:
        return
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", chosen(metafunc.config, file.stem.removeprefix("test_")), scope="module")
    if "plugins" in metafunc.fixturenames:
        found = list(_all_chosen(metafunc.config))
        metafunc.parametrize("plugins", found, ids=[kind for kind, _ in found])


def _all_chosen(config: pytest.Config) -> Iterator[tuple[str, list[str]]]:
    for kind in KINDS:
        if names := chosen(config, kind):
            yield kind, names


@pytest.fixture(scope="session")
def lsbench_settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the settings given by ``--settings``."""
    found: dict[str, Any] = json.loads(request.config.getoption("lsbench_settings"))
    return found
