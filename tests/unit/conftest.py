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
    """A plug-in whose cells are the folders below its root; `lines` says what is wrong with others."""

    wnids: tuple[str, ...]
    lines: dict[str, str] = field(default_factory=dict)
    spec: Any = CopiesSpec
    in_memory: bool = False

    def fingerprint(self, spec: CopiesSpec, data_root: Path | None) -> str:
        return "0" * 64

    def prepare(self, spec: CopiesSpec, data_root: Path | None) -> ImageFolders:
        places = {f"{p.parent.name}/{p.name}": p for p in sorted(spec.root.glob("*/*"))}
        return ImageFolders(spec.root, places, self.wnids)

    def cells(self, spec: CopiesSpec, data_root: Path | None) -> Any:
        there = self.prepare(spec, data_root).splits

        def problems(wanted: Iterable[str]) -> dict[str, str]:
            return {cell: f"expected {spec.root / cell}" for cell in wanted if cell not in there}

        return SimpleNamespace(problems=problems)

    def num_classes(self, spec: CopiesSpec, data_root: Path | None = None) -> int:
        return len(self.wnids)

    def num_images(self, spec: CopiesSpec, split: str) -> int | None:
        return None


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Path, Copies]]:
    """Write cells of the data set `copies` of 20 garments; return its root and the plug-in."""

    def write(*cells: str, side: int = 32) -> tuple[Path, Copies]:
        folders = FASHION.prepare(FashionSpec(train_images=40, val_images=20, test_images=20), None)
        root = tmp_path / "copies"
        for cell in cells:
            for path in sorted(folders.splits["test"].glob("*/*.png")):
                target = root / cell / path.parent.name / f"{path.stem}.jpg"
                target.parent.mkdir(parents=True, exist_ok=True)
                Image.open(path).convert("RGB").resize((side, side)).save(target, quality=95)
        plugin = Copies(folders.wnids)
        entry = SimpleNamespace(load=lambda: plugin, value="a test")
        known = registry._entry_points
        own = {"copies": entry}
        monkeypatch.setattr(
            registry,
            "_entry_points",
            lambda group: {**known(group), **(own if group == registry.DATASETS.group else {})},
        )
        return root, plugin

    return write
