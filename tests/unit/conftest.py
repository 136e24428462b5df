"""A small data set of corrupted files, laid out as the published ones are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from lsbench.core import registry
from lsbench.data.dataset import DatasetSpec, ImageFolders
from lsbench.data.datasets.fashion import DATASET as FASHION
from lsbench.data.datasets.fashion import FashionSpec


class CopiesSpec(DatasetSpec):
    name: str = "copies"
    img_size: int = 32
    root: Path


@dataclass
class Copies:
    """A plug-in whose conditions are the folders below its root; `lines` says what is wrong with others."""

    wnids: tuple[str, ...]
    lines: dict[str, str] = field(default_factory=dict)
    spec: Any = CopiesSpec
    in_memory: bool = False

    def fingerprint(self, spec: CopiesSpec, data_root: Path | None) -> str:
        return "0" * 64

    def prepare(self, spec: CopiesSpec, data_root: Path | None) -> ImageFolders:
        places = {f"{p.parent.name}/{p.name}": p for p in sorted(spec.root.glob("*/*"))}

        def problems(wanted: Iterable[str]) -> dict[str, str]:
            return {
                condition: f"expected {spec.root / condition}"
                for condition in wanted
                if condition not in places
            }

        return ImageFolders(spec.root, places, self.wnids, problems=problems)

    def num_classes(self, spec: CopiesSpec, data_root: Path | None = None) -> int:
        return len(self.wnids)

    def num_images(self, spec: CopiesSpec, split: str) -> int | None:
        return None


@pytest.fixture
def add_dataset(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], None]:
    """Make a data set known by a name, as one of another package is."""
    own: dict[str, Any] = {}
    known = registry._entry_points
    monkeypatch.setattr(
        registry,
        "_entry_points",
        lambda group: {**known(group), **(own if group == registry.DATASETS.group else {})},
    )

    def add(name: str, plugin: Any) -> None:
        own[name] = SimpleNamespace(load=lambda: plugin, value="a test")

    return add


@pytest.fixture
def copies(tmp_path: Path, add_dataset: Callable[[str, Any], None]) -> Callable[..., tuple[Path, Copies]]:
    """Write conditions of the data set `copies` of 20 garments; return its root and the plug-in."""

    def write(*conditions: str, side: int = 32) -> tuple[Path, Copies]:
        folders = FASHION.prepare(FashionSpec(train_images=40, val_images=20, test_images=20), None)
        root = tmp_path / "copies"
        for condition in conditions:
            for path in sorted(folders.splits["test"].glob("*/*.png")):
                target = root / condition / path.parent.name / f"{path.stem}.jpg"
                target.parent.mkdir(parents=True, exist_ok=True)
                Image.open(path).convert("RGB").resize((side, side)).save(target, quality=95)
        plugin = Copies(folders.wnids)
        add_dataset("copies", plugin)
        return root, plugin

    return write
