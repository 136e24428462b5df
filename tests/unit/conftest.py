"""A small data set of corrupted files, laid out as the published ones are; and packages from outside."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lsbench.core import registry
from lsbench.core.atomic import write_text
from lsbench.core.entry_points import outside_plugins
from lsbench.core.facets import Facets
from lsbench.core.ids import content_hash
from lsbench.core.quantity import declarations
from lsbench.core.record import measured
from lsbench.data.dataset import DatasetSpec, ImageFolders
from lsbench.data.datasets.fashion import DATASET as FASHION
from lsbench.data.datasets.fashion import FashionSpec
from lsbench.store.answers import packed_answers
from lsbench.store.job_files import PREDICTIONS
from lsbench.store.results import RESULT, SPEC, ResultsFolder
from lsbench.suite.graph import JobGraph


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


Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package as far as Python can tell: its modules by name, and its entry points by group."""
    found: list[str] = []

    def add(
        modules: Mapping[str, str], entries: Mapping[str, Mapping[str, str]], *, name: str = "acme-plugin"
    ) -> Path:
        site = tmp_path / "site" / name
        info = site / f"{name.replace('-', '_')}-0.1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
        groups = [
            f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in named.items())
            for group, named in entries.items()
        ]
        (info / "entry_points.txt").write_text("\n".join(groups))
        for module, text in modules.items():
            path = site.joinpath(*module.split(".")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            found.extend([module, module.partition(".")[0]])
        monkeypatch.syspath_prepend(site)
        # Processes that a test starts find it too.
        path_of_children = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path_of_children))
        outside_plugins.cache_clear()
        declarations.cache_clear()
        return site

    yield add
    outside_plugins.cache_clear()
    declarations.cache_clear()
    for module in found:
        sys.modules.pop(module, None)


@pytest.fixture
def add_dataset(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], None]:
    """Make a data set known by a name, as one of another package is."""
    own: dict[str, tuple[EntryPoint, ...]] = {}
    known, group_of_data = registry.outside_plugins, registry.DATASETS.group
    monkeypatch.setattr(
        registry,
        "outside_plugins",
        lambda group: {**known(group), **(own if group == group_of_data else {})},
    )

    def add(name: str, plugin: Any) -> None:
        module = ModuleType(f"{name}_of_a_test")
        module.DATASET = plugin
        monkeypatch.setitem(sys.modules, module.__name__, module)
        own[name] = (EntryPoint(name, module.__name__, group_of_data),)

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


@pytest.fixture(scope="session")
def garments(tmp_path_factory: pytest.TempPathFactory) -> ImageFolders:
    """Fashion with 200/50/100 images, written once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LSBENCH_CACHE", str(tmp_path_factory.mktemp("garments")))
        return FASHION.prepare(FashionSpec(train_images=200, val_images=50, test_images=100), None)


@pytest.fixture
def colours(tmp_path: Path) -> ImageFolders:
    """Twelve colour photos of 20x30 pixels in three classes, train and val."""
    rng = np.random.default_rng(0)
    root = tmp_path / "colours"
    for split in ("train", "val"):
        for wnid in ("n1", "n2", "n3"):
            (root / split / wnid).mkdir(parents=True)
            for i in range(4):
                pixels = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(root / split / wnid / f"{i}.png")
    return ImageFolders(root, {s: root / s for s in ("train", "val")}, ("n1", "n2", "n3"))


@pytest.fixture
def keep_answers() -> Callable[..., None]:
    """Write the answers to each image that evaluations keep, drawn at random but the same every time.

    Every model answers the same images; `right` is the share that it gets right.
    """

    def keep(
        folder: ResultsFolder,
        graph: JobGraph,
        *,
        images: int = 20,
        classes: int = 10,
        right: float = 0.5,
        names: Sequence[str] | None = None,
    ) -> None:
        class_names = np.array([f"c{number:04d}" for number in range(classes)])
        targets = np.arange(images) * classes // images
        paths = names or [f"{class_names[target]}/{index}.png" for index, target in enumerate(targets)]
        for number, job in enumerate(graph.by_id().values()):
            if job.kind != "evaluate" or not folder.is_done(str(job.id)):
                continue
            rng = np.random.default_rng(number)
            best = rng.integers(0, classes, (images, 5))
            best[:, 0] = np.where(rng.random(images) < right, targets, best[:, 0])
            confidence = rng.uniform(1 / classes, 1, images)
            arrays = packed_answers(targets, best[:, 0], best, confidence)
            if job.spec.get("on"):
                arrays |= {f"whole_{name}": values for name, values in arrays.items()}
            np.savez(
                folder.job_folder(str(job.id)) / PREDICTIONS,
                images_sha256=np.array(content_hash(paths, length=64)),
                names=np.array(paths),
                classes=class_names,
                **arrays,
            )

    return keep


@pytest.fixture
def make_fields(
    tiny: dict[str, Any], make_graph: Callable[..., Any], fill_store: Callable[..., ResultsFolder]
) -> Callable[..., ResultsFolder]:
    """Write results of a suite whose variants have receptive fields of 8 x 8 pixels, one number apiece."""

    def make(
        mixers: Sequence[str] = ("ls_conv", "identity", "rep_mixer"),
        *,
        without_arrays: Sequence[str] = (),
        missing: Mapping[str, str] = MappingProxyType({}),
        name: str = "tiny",
        jobs: Sequence[Any] = ({"analyze": "erf"},),
        **options: Any,
    ) -> ResultsFolder:
        variants = [{"name": mixer, "mixer": mixer, "label": f"The {mixer}"} for mixer in mixers]
        graph = make_graph({**tiny, "name": name, "variants": variants, "jobs": ["train", *jobs]})

        def records(job: Any) -> list[dict[str, Any]]:
            if job.kind != "analyze":
                return []
            reason = missing.get(job.variant.name)
            facets = Facets(method="erf", split="test", weights=job.spec["weights"], n=6, version="1.1")
            setting = {"missing": reason} if reason else {}
            value = None if reason else 0.3
            one = measured("erf_area_50", value, facets=facets, dataset="fashion", n=6, setting=setting)
            return [{"job_id": job.id, **one.model_dump(mode="json")}]

        folder = fill_store(graph, records, **options)
        for job in graph.by_id().values():
            place = folder.job_folder(str(job.id))
            if not (place / RESULT).exists():
                continue
            (place / SPEC).write_text(job.model_dump_json(), encoding="utf-8")
            if job.kind == "analyze" and job.label not in without_arrays and job.variant.name not in missing:
                field = np.random.default_rng(len(job.variant.name)).random((8, 8))
                np.savez(place / "erf.npz", field=field / field.sum(), shares=np.array([0.5]))
        return folder

    return make


SMALL_HEADS: dict[str, dict[str, Any]] = {
    "retinanet": {"channels": 16, "convs": 1, "extra_levels": 0, "anchor_scale": 3.0},
    "maskrcnn": {
        "channels": 16,
        "box_channels": 32,
        "mask_convs": 1,
        "proposals": 20,
        "proposals_in_training": 20,
        "sampled_proposals": 16,
        "sampled_anchors": 32,
    },
    "semantic_fpn": {"channels": 16, "head_channels": 16},
}
SCENES = {"img_size": 64, "train_images": 12, "test_images": 6}


@pytest.fixture
def prepare_scenes(
    tiny: dict[str, Any], make_graph: Callable[..., Any], tmp_path: Path
) -> Callable[..., Path]:
    """Write a job on scenes into a folder of its own; its backbone has random weights."""

    def write(name: str, kind: str, *, limit: int | None = None, **settings: Any) -> Path:
        data = {"name": "fashion_ade" if kind == "segment" else "fashion_coco", **SCENES}
        model = settings.get("detector", "semantic_fpn" if kind == "segment" else "retinanet")
        usual = {"backbone_weights": "none", "batch_size": 4, "epochs": 2, "checkpoint_minutes": 0}
        tiny["defaults"]["model_args"] = {"stem_stride": 8}
        tiny["variants"] = [{"name": "id", "mixer": "identity"}]
        tiny["jobs"] = [{kind: {"dataset": data, "head": SMALL_HEADS[model], **usual, **settings}}]
        job = make_graph({**tiny, "seeds": [3]}, limit=limit).jobs[0]
        folder = tmp_path / name / "tiny" / "default" / "jobs" / str(job.id)
        write_text(folder / SPEC, job.model_dump_json())
        return folder

    return write


@pytest.fixture
def stored_records() -> Callable[[Path], list[dict[str, Any]]]:
    """Return the records of a finished job, but for timings."""

    def read(folder: Path) -> list[dict[str, Any]]:
        found = json.loads((folder / RESULT).read_text())["records"]
        return [record for record in found if record["metric"] != "data_wait_frac"]

    return read
