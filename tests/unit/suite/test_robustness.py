"""Whatever a suite file holds, the answer is a suite or a list of problems with file and line."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lsbench.core.errors import ConfigError, UsageError
from lsbench.suite.graph import build_graph
from lsbench.suite.loader import load_suite

WRONG = [None, -1, True, "text", ["a"], [None], {"a": 1}, float("inf"), [["x"]]]
BASE: dict[str, Any] = {
    "version": 1,
    "name": "tiny",
    "description": "d",
    "tags": ["smoke"],
    "baseline": "ls",
    "defaults": {
        "model": "lsnet_nano",
        "mixer": "ls_conv",
        "mixer_args": {"kernel_large": 5},
        "model_args": {"drop_path_rate": 0.1},
        "dataset": {"name": "fashion", "img_size": 32},
    },
    "variants": [
        {"name": "ls", "mixer": "ls_conv", "mixer_args": {"kernel_large": 7}, "label": "LS"},
        {"name": "own", "jobs": {"train": {"augment": {"flip": 0.1}}}, "published": {"top1": 0.7}},
        {"name": "{mixer}", "matrix": {"mixer": ["identity", "involution"]}, "exclude": [{"mixer": "x"}]},
    ],
    "jobs": [
        {"train": {"epochs": 1, "name": "train", "augment": {"flip": 0.5}, "resources": {"num_cpus": 1}}},
        {"evaluate": {"needs": ["train"]}},
    ],
    "source": "a paper",
    "published_only": [{"name": "x", "published": {"top1": 0.7}, "reason": "r"}],
    "seeds": [0, 1],
    "resources": {"num_gpus": "auto"},
    "presets": {
        "other": {"seeds": [3], "jobs": [{"train": {"epochs": 2}}], "defaults": {"mixer": "identity"}}
    },
}


def paths(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from paths(value, (*path, key))


def replaced(path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(BASE)
    if not path:
        return value
    node: Any = changed
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return changed


def problems_of(file: Path, preset: str) -> list[str]:
    try:
        build_graph(load_suite(str(file), preset=preset))
    except (ConfigError, UsageError) as error:
        return str(error).splitlines()
    return []


ALL_PATHS = list(paths(BASE))


@pytest.mark.parametrize("path", ALL_PATHS, ids=lambda path: ".".join(map(str, path)) or "top")
def test_a_wrong_value_anywhere_is_a_listed_problem_or_a_suite(path, tmp_path):
    file = tmp_path / "s.yaml"
    place = re.compile(re.escape(str(file)) + r":(\d+: \S| presets: no preset 'other')")
    for value in WRONG:
        file.write_text(yaml.safe_dump(replaced(path, value), sort_keys=False))
        for preset in ("default", "other"):
            problems = problems_of(file, preset)
            assert all(place.match(line) for line in problems), (value, problems)
