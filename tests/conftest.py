"""What all tests share: one data cache for the session, a tiny suite, and stores filled by hand."""

import copy
import itertools
import os
import random
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lsbench.core.atomic import write_json
from lsbench.core.facets import Facets
from lsbench.core.job import Job
from lsbench.core.plugin_code import files_hash
from lsbench.core.record import measured
from lsbench.scheduler.protocol import Event, Node, Placement
from lsbench.scheduler.run import write_manifest
from lsbench.store.results import RESULT, SPEC, ResultsFolder
from lsbench.suite.graph import JobGraph, build_graph
from lsbench.suite.loader import load_suite

# Tests compute little at a time: threads of one test would only wait for those of its child processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["COLUMNS"] = "160"  # wherever the tests run, tables are as wide as in a log
# Compiled loops are kept from one session to the next, and nowhere near the user's own cache.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "loops"))
# Ray reads its token once per process, whichever test of the process comes first.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))

TINY: dict[str, Any] = {
    "version": 1,
    "name": "tiny",
    "defaults": {
        "model": "lsnet_nano",
        "dataset": {"name": "fashion", "train_images": 40, "val_images": 20, "test_images": 20},
    },
    "variants": [{"name": "ls", "mixer": "ls_conv"}, {"name": "id", "mixer": "identity"}],
    "jobs": [
        {"train": {"epochs": 1, "batch_size": 20}},
        "evaluate",
        {"profile": {"batch_size": 2, "probes": ["params", "macs"]}},
    ],
    "seeds": [0, 1],
}


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are CPUs: many tests wait for processes that they have started."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session", autouse=True)
def _shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Generate each data set once per session, and nowhere near the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LSBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def same_torch_afterwards() -> Iterator[None]:
    """Put threads and determinism back, which jobs set for their whole process: here that of all tests."""
    import torch

    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = True


@pytest.fixture
def tiny() -> dict[str, Any]:
    """A valid suite, to be changed at will: two variants, three jobs, two seeds."""
    return copy.deepcopy(TINY)


@pytest.fixture
def count_calls() -> Callable[[Callable[[], Any]], int]:
    """Return how many functions are called while one runs: its cost, whatever else the machine does."""

    def count(work: Callable[[], Any]) -> int:
        found = itertools.count()

        def note(frame: Any, event: str, argument: Any) -> None:
            if event in ("call", "c_call"):
                next(found)

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            work()
        finally:
            sys.setprofile(before)
        return next(found)

    return count


@pytest.fixture
def write_suite(tmp_path: Path) -> Callable[[Any], str]:
    """Write a suite, given as text or as content, and return its path."""

    def write(content: Any) -> str:
        path = tmp_path / "suite.yaml"
        is_text = isinstance(content, str)
        path.write_text(content if is_text else yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def make_graph(write_suite: Callable[[Any], str]) -> Callable[..., JobGraph]:
    """Return the job graph of a suite's content; options are those of `load_suite`."""

    def make(content: Any, *, data_root: Path | None = None, **options: Any) -> JobGraph:
        return build_graph(load_suite(write_suite(content), **options), data_root=data_root)

    return make


def tiny_records(job: Job, top1: float = 0.5) -> list[dict[str, Any]]:
    """Return records as the job's kind would write them, with made-up values."""
    if job.kind == "robustness" or job.spec.get("on"):
        return tested_records(job)
    protocols = {"train": "train|v1", "evaluate": "test|n=20|v1", "profile": "b=1|v1"}
    values = {
        "train": {"train_loss": (1.5, "nat")},
        "evaluate": {"top1": (top1, "fraction"), "top5": (0.9, "fraction")},
        "profile": {"params": (2e6, "count"), "macs": (3e8, "MAC"), "latency_ms": (5.0, "ms")},
    }[job.kind]
    return [
        {
            "job_id": job.id,
            "metric": metric,
            "value": value,
            "unit": unit,
            "n": 20,
            "ci_low": None,
            "ci_high": None,
            "ci_method": None,
            "protocol": protocols[job.kind],
            "dataset": None if job.kind == "profile" else "fashion",
            "setting": {},
        }
        for metric, (value, unit) in values.items()
    ]


CORRUPTED = Facets(
    method="fashion-c-live",
    corruptions=2,
    severities=2,
    res=32,
    reference="knn5",
    n=20,
    split="test",
    weights="last",
    version="1",
)
MASKED = Facets(split="test", weights="last", classes=6, n=20, version="1")


def tested_records(job: Job, **values: float | None) -> list[dict[str, Any]]:
    """Return records of a robustness job, or of an evaluation on another data set, with made-up values.

    Of two corruptions at two severities every cell is there; `values` are whole figures to put in place of
    the usual ones.
    """
    if job.kind == "evaluate":
        dataset = job.spec["on"]
        figures = [("top1", 0.2, MASKED), ("top1", 0.1, MASKED.model_copy(update={"classes": 10}))]
    else:
        dataset = job.variant.dataset["name"]
        usual = {"mce": 0.8, "relative_mce": 1.1, "corruption_error": 0.4, "clean_error": 0.25}
        figures = [(metric, value, CORRUPTED) for metric, value in {**usual, **values}.items()]
        for number, corruption in enumerate(("fog", "snow")):
            where = CORRUPTED.of_corruption(corruption)
            figures += [("ce", 0.8, where), ("corruption_error", 0.3 + number / 5, where)]
            for severity in (1, 2):
                cell = CORRUPTED.of_corruption(corruption, severity)
                figures.append(("corruption_error", 0.1 + severity / 10 + number / 5, cell))
    found = [measured(name, value, facets=facets, dataset=dataset, n=20) for name, value, facets in figures]
    return [{"job_id": job.id, **record.model_dump(mode="json")} for record in found]


def ok_line(job: Job) -> dict[str, Any]:
    """Return a finished job's line of the journal."""
    return {
        "schema_version": 1,
        "job_id": job.id,
        "status": "ok",
        **({"code": {plugin: files_hash(files) for plugin, files in job.code.items()}} if job.code else {}),
        "kind": job.kind,
        "label": job.label,
        "seed": job.seed,
        "started_at": "2025-01-01T00:00:00+00:00",
        "wall_s": 2.0,
        "error": None,
        "setting": dict(job.spec),
        "provenance": {"cpu": "a cpu", "host": "a host", "torch": "2", "lsbench": "0"},
    }


def failed_line(job: Job) -> dict[str, Any]:
    """Return a failed job's line of the journal."""
    line = {key: ok_line(job)[key] for key in ("schema_version", "job_id", "kind", "label", "seed")}
    return {**line, "status": "failed", "error": "ValueError: too bad", "attempts": 2, "ended_at": "2025"}


Records = Callable[[Job], list[dict[str, Any]] | None]


@pytest.fixture
def tested() -> Callable[..., JobGraph]:
    """Return a graph with robustness jobs and evaluations on other data sets, for every variant and seed."""

    def add(graph: JobGraph, on: Sequence[str] = ("imagenet_a",)) -> JobGraph:
        added = [("robustness", "robustness", {}), *(("evaluate", name, {"on": name}) for name in on)]
        evaluations = [job for job in graph.jobs if job.name == "evaluate"]
        jobs = [
            job.model_copy(update={"id": f"{name}-{job.id}", "kind": kind, "name": name, "spec": spec})
            for job in evaluations
            for kind, name, spec in added
        ]
        return replace(graph, jobs=(*graph.jobs, *jobs))

    return add


@pytest.fixture
def fill_store(tmp_path: Path) -> Callable[..., ResultsFolder]:
    """Return a results folder filled by hand.

    `records(job)` gives what a job measured, or None for a job that has not run; jobs whose label is in
    `failed` failed.
    """

    def fill(
        graph: JobGraph,
        records: Records = tiny_records,
        failed: tuple[str, ...] = (),
        results: Path = tmp_path / "results",
    ) -> ResultsFolder:
        folder = ResultsFolder(results / graph.suite.name / graph.suite.preset)
        folder.create()
        write_manifest(graph, folder)
        for job in graph.by_id().values():
            found = records(job)
            if job.label in failed:
                folder.add_job(failed_line(job), [])
            elif found is not None:
                write_json(folder.job_folder(str(job.id)) / RESULT, {"job": ok_line(job), "records": found})
                folder.add_job(ok_line(job), found)
        return folder

    return fill


class FakeExecutor:
    """Executes nothing: every job ends as the test has written down, one per poll, in a seeded order.

    Attributes:
        ends: Job label -> how its attempts end, in order (``ok``, or an error class); then all are ok.
        log: ``("submit" | "end", label, placement)`` in the order of events.
        check: Called with all running placements after every submission.
    """

    def __init__(self, nodes: list[Node], ends: dict[str, list[str]] | None = None, seed: int = 0) -> None:
        self._nodes, self.ends = nodes, ends or {}
        self.running: dict[str, tuple[Job, Path, Placement]] = {}
        self.log: list[tuple[str, str, Placement]] = []
        self.most_running = 0
        self.events: list[str] = []
        self.problems: list[str] = []
        self.can_grow = False
        self.asked_for: list[list[dict[str, float]]] = []
        self.held: list[tuple[str, str]] = []
        self._random = random.Random(seed)

    def start(self) -> None:
        self.events.append("start")

    def nodes(self) -> list[Node]:
        return self._nodes

    def preflight(self, variants: Any, results: Path, needs: Any, data: Any = ()) -> list[str]:
        self.events.append("preflight")
        return self.problems

    def submit(self, job_id: str, folder: Path, placement: Placement, timeout_s: float) -> None:
        job = Job.model_validate_json((folder / SPEC).read_text(encoding="utf-8"))
        self.running[job_id] = job, folder, placement
        self.most_running = max(self.most_running, len(self.running))
        self.log.append(("submit", job.label, placement))

    def poll(self, timeout_s: float) -> list[Event]:
        if not self.running:
            return []
        job_id = self._random.choice(sorted(self.running))
        job, folder, placement = self.running.pop(job_id)
        self.log.append(("end", job.label, placement))
        queue = self.ends.get(job.label, [])
        end = queue.pop(0) if queue else "ok"
        started = Event(job_id, "start", {"node": placement.node})
        if end == "interrupt":
            raise KeyboardInterrupt
        if end != "ok":
            failed = {"ok": False, "error_class": end, "message": "as written down", "device": "0"}
            return [started, Event(job_id, "end", failed)]
        write_json(folder / RESULT, {"job": ok_line(job), "records": tiny_records(job)})
        return [started, Event(job_id, "end", {"ok": True})]

    def hold_device(self, node: str, device: str) -> bool:
        self.held.append((node, device))
        return True

    def free_device(self, node: str, device: str) -> None:
        self.held.remove((node, device))

    def ask_for(self, bundles: Sequence[dict[str, float]]) -> None:
        self.asked_for.append(list(bundles))

    def close(self) -> None:
        self.events.append("close")

    def submitted(self) -> list[str]:
        """Return the labels of all submissions, in order."""
        return [label for what, label, _ in self.log if what == "submit"]


class SilentWatcher:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, str, str]] = []
        self.started: list[str] = []
        self.progress: list[dict[str, Any]] = []

    def nodes_changed(self, nodes: Sequence[Node], most: int | None) -> None:
        pass

    def job_started(self, job: Job, event: dict[str, Any]) -> None:
        self.started.append(job.label)

    def job_progressed(self, job: Job, event: dict[str, Any]) -> None:
        self.progress.append(event)

    def job_ended(self, job: Job, state: str, message: str) -> None:
        self.ended.append((job.label, state, message))

    def tick(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def fake_executor() -> type[FakeExecutor]:
    return FakeExecutor


@pytest.fixture
def watcher() -> SilentWatcher:
    return SilentWatcher()


@pytest.fixture
def records_of() -> Callable[..., list[dict[str, Any]]]:
    return tiny_records


@pytest.fixture
def job_lines() -> tuple[Callable[[Job], dict[str, Any]], Callable[[Job], dict[str, Any]]]:
    """Return what writes the journal's line of a finished and of a failed job."""
    return ok_line, failed_line


def epoch_records(
    job: Job, figures: dict[str, list[float | None]], lr_scale: float | None = None
) -> list[dict[str, Any]]:
    """Return a training's records with one figure per epoch in addition: metric -> values."""
    records = tiny_records(job)
    if lr_scale is not None:
        records[0]["setting"] = {"lr_scale": lr_scale}
    for metric, values in figures.items():
        for epoch, value in enumerate(values, 1):
            own = {
                "metric": metric,
                "value": value,
                "setting": {"epoch": epoch},
                "protocol": f"train|v1|epoch={epoch}",
            }
            records.append({**records[0], **own})
    return records


@pytest.fixture
def with_epochs() -> Callable[..., list[dict[str, Any]]]:
    return epoch_records


def _images_of(split: Path) -> list[tuple[Path, int]]:
    """Return the images of a split's class folders and their class indices, in an order of no use."""
    wnids = sorted(folder.name for folder in split.iterdir())
    found = sorted((path, wnids.index(path.parent.name)) for path in split.glob("*/*"))
    random.Random(0).shuffle(found)
    return found


def _write_shards(source: Path, target: Path) -> None:
    import webdataset

    for split in sorted(source.iterdir()):
        found = _images_of(split)
        names = sorted(folder.name for folder in split.iterdir())
        (_made(target) / "classes.txt").write_text("\n".join(names), encoding="utf-8")
        for shard in range(2):
            with webdataset.TarWriter(str(_made(target / split.name) / f"{shard:04d}.tar")) as writer:
                for path, label in found[shard::2]:
                    key, ending = f"{path.parent.name}/{path.stem}", path.suffix.removeprefix(".")
                    writer.write({"__key__": key, ending: path.read_bytes(), "cls": label})


def _write_tables(source: Path, target: Path) -> None:
    import datasets

    datasets.disable_progress_bars()
    for split in sorted(source.iterdir()):
        names = sorted(folder.name for folder in split.iterdir())
        columns = {"image": datasets.Image(), "label": datasets.ClassLabel(names=names)}
        found, word = _images_of(split), {"val": "validation"}.get(split.name, split.name)
        for part in range(2):
            rows = {
                "image": [{"bytes": path.read_bytes(), "path": path.name} for path, _ in found[part::2]],
                "label": [label for _, label in found[part::2]],
            }
            table = datasets.Dataset.from_dict(rows, features=datasets.Features(columns))
            table.to_parquet(str(_made(target / "data") / f"{word}-{part:05d}-of-00002.parquet"))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def store_images() -> Callable[[Path, Path, str], Path]:
    """Copy ``<source>/<split>/<class>/<images>`` into `target` as a reader wants it; return where it is."""

    def store(source: Path, target: Path, reader: str) -> Path:
        if reader == "folder":
            return source
        {"wds": _write_shards, "hfds": _write_tables}[reader](source, target)
        return target

    return store


@pytest.fixture
def night_records() -> Callable[..., Records]:
    """Return what the jobs of a night record: scores of known weights, and a ratio of timings."""

    def of(graph: JobGraph, *, top1: float = 0.5, ratio: float | None = 1.2, macs: float = 3e8) -> Records:
        def records(job: Job) -> list[dict[str, Any]]:
            found = tiny_records(job, top1)
            for record in found:
                record["setting"] = {"weights_sha256": "w"} if job.kind == "evaluate" else {}
                record["value"] = macs if record["metric"] == "macs" else record["value"]
            if job.kind == "profile":
                reason = {} if ratio is not None else {"inconclusive": "all disturbed"}
                more = {"metric": "latency_ratio", "value": ratio, "unit": "ratio", "setting": reason}
                found.append({**found[0], **more})
            return found

        return records

    return of


@pytest.fixture
def keep_arrays() -> Callable[..., None]:
    """Write the bits and samples of a night beside the records of its jobs."""

    def keep(
        graph: JobGraph, folder: ResultsFolder, *, lost: int = 0, slow: float = 1.0, seed: int = 0
    ) -> None:
        rng = np.random.default_rng(seed)
        for job in graph.by_id().values():
            path = folder.job_folder(str(job.id))
            if not path.exists():
                continue
            if job.kind == "evaluate":
                right = np.arange(20) < 10 - lost
                np.savez(path / "predictions.npz", score_top1=right, images_sha256=np.array("images"))
            elif job.kind == "profile":
                control = rng.lognormal(-5, 0.1, 40)
                candidate = 1.2 * slow * control * rng.lognormal(0, 0.005, 40)
                pairs = {"candidate": candidate, "control": control, "is_disturbed": np.arange(40) % 10 == 0}
                np.savez(path / "samples_latency_ratio.npz", **pairs)

    return keep
