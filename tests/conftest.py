"""What all tests share: one data cache for the session, a tiny suite, and stores filled by hand."""

import copy
import gc
import itertools
import os
import random
import secrets
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lsbench.core.atomic import write_json
from lsbench.core.garbage import collect_seldom
from lsbench.core.job import Job
from lsbench.scheduler.run import write_manifest
from lsbench.store.results import RESULT, ResultsFolder
from lsbench.suite.graph import JobGraph, build_graph
from lsbench.suite.loader import load_suite

from .fakes import FakeExecutor, SilentWatcher
from .stored_lines import Records, epoch_records, failed_line, ok_line, tiny_records
from .warm_python import fixed_variables
from .warm_server import start_server

# Tests compute little at a time: threads of one test would only wait for those of its child processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")
NUM_THREADS = int(os.environ["OMP_NUM_THREADS"])
os.environ["COLUMNS"] = "160"  # wherever the tests run, tables are as wide as in a log
# Compiled loops are kept from one session to the next, and nowhere near the user's own cache.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "loops"))
# Ray reads its token once per process, whichever test of the process comes first.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
#: The environment of this process before a test or a job in it has changed it.
ENVIRONMENT = dict(os.environ)
FIXED = fixed_variables(ENVIRONMENT)

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


def pytest_configure() -> None:
    """Look for garbage as seldom as the command line does."""
    collect_seldom()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell without job control, in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Let collections of garbage pass by what the tests themselves are: over a million objects."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Generate each data set once per session, and nowhere near the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LSBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Put back what libraries, commands and jobs of earlier tests set for their whole process.

    A command of a test is forked in the server's environment alone. Two threads of torch in each worker would
    wait for each other on CPUs that other workers need.
    """
    for name in fixed_variables(dict(os.environ)).keys() - FIXED.keys():
        del os.environ[name]
    os.environ.update(FIXED)
    gc.enable()
    if torch := sys.modules.get("torch"):
        if torch.get_num_threads() != NUM_THREADS:
            torch.set_num_threads(NUM_THREADS)
        torch.use_deterministic_algorithms(False)
        torch.utils.deterministic.fill_uninitialized_memory = True


#: Most GPU programs that all tests on a GPU compile: each takes seconds.
MOST_PROGRAMS = 60


@pytest.fixture(scope="session")
def _few_programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give Triton an empty cache, and see afterwards how much this session and its processes compiled."""
    folder = tmp_path_factory.mktemp("triton")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_CACHE_DIR", str(folder))
        yield
    compiled = [path.stem for path in folder.rglob("*.cubin")]
    assert len(compiled) <= MOST_PROGRAMS, f"{len(compiled)} programs were compiled: {Counter(compiled)}"


@pytest.fixture(autouse=True)
def _counted_on_a_gpu(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("gpu"):
        request.getfixturevalue("_few_programs")


@pytest.fixture(scope="session")
def warm_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A program that takes ``-P -m lsbench`` as Python does, and has imported already what that needs."""
    folder, is_worker = tmp_path_factory.getbasetemp(), "PYTEST_XDIST_WORKER" in os.environ
    where = (folder.parent, os.getppid()) if is_worker else (folder, os.getpid())
    return str(start_server(*where, ENVIRONMENT))


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
