"""Contract of every job kind: strict settings, a cost, and records of declared quantities."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from lsbench.core.job import DEFAULT_RESOURCES, JobKind, JobSpec
from lsbench.core.quantity import quantity
from lsbench.core.registry import JOBS
from lsbench.scheduler.inline import InlineExecutor
from lsbench.scheduler.run import RunOptions, results_folder, run_suite
from lsbench.testing.samples import create_graph
from lsbench.testing.watching import Silent

TRAINING = {"train": {"epochs": 1, "batch_size": 20}}


@pytest.fixture(autouse=True)
def same_torch_afterwards() -> Iterator[None]:
    """Restore threads and determinism, which a job sets for its whole process, here that of all tests."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = True  # type: ignore[attr-defined]


@pytest.fixture
def kind(name: str) -> JobKind:
    found: JobKind = JOBS.load(name)
    return found


@pytest.fixture
def settings(lsbench_settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of the job under test."""
    return lsbench_settings


def test_its_spec_is_strict_and_has_defaults(kind: JobKind) -> None:
    assert issubclass(kind.spec, JobSpec)
    assert kind.spec().threads >= 1
    with pytest.raises(ValidationError, match="Extra inputs"):
        kind.spec.model_validate({"no_such_setting": 1})


def test_its_spec_survives_json(kind: JobKind) -> None:
    assert kind.spec.model_validate_json(kind.spec().model_dump_json()) == kind.spec()


def test_its_runtime_fields_are_settings_and_never_threads(kind: JobKind) -> None:
    assert kind.spec.runtime_fields <= set(kind.spec.model_fields)
    assert "threads" not in kind.spec.runtime_fields
    assert kind.spec.later_fields <= set(kind.spec.model_fields)
    assert not kind.spec.later_fields & kind.spec.runtime_fields


def test_its_default_needs_are_job_kinds_and_never_itself(kind: JobKind) -> None:
    assert set(kind.needs) < set(JOBS.names())
    assert all(JOBS.load(need) is not kind for need in kind.needs)


def test_its_cost_is_positive_and_grows_with_the_model(kind: JobKind) -> None:
    one, two = (kind.cost(kind.spec(), macs, lambda split: 100) for macs in (1e6, 2e6))
    assert one > 0
    assert two == pytest.approx(2 * one)


def test_its_run_takes_a_context(kind: JobKind) -> None:
    assert list(inspect.signature(kind.run).parameters) == ["context"]
    assert kind.version >= 1


def test_its_resources_are_complete_over_the_defaults(kind: JobKind) -> None:
    full = kind.resources.over(DEFAULT_RESOURCES)
    assert full.timeout_min is not None
    assert full.timeout_min > 0
    assert full.max_retries is not None
    assert full.max_retries >= 0
    assert full.exclusive in ("no", "device", "node")


def test_it_runs_and_gives_finite_numbers_with_units(
    name: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    jobs: list[Any] = [] if name == "train" else [TRAINING]
    graph = create_graph(tmp_path, [*jobs, {name: settings}], limit=2)
    outcome = run_suite(
        graph,
        RunOptions(tmp_path / "results"),
        create_executor=InlineExecutor,
        create_watcher=lambda plan, folder: Silent(),
    )
    folder = results_folder(graph, tmp_path / "results")
    assert outcome is not None
    assert not outcome.failed, [line["error"] for line in folder.jobs().values()]
    [job] = [job for job in graph.jobs if job.kind == name]
    records = [record for record in folder.records() if record["job_id"] == job.id]
    assert records
    declared = {one.name: one for one in getattr(JOBS.module(name), "QUANTITIES", ())}
    for record in records:
        expected = declared.get(record["metric"], quantity(record["metric"]))
        told = f"declare '{record['metric']}' in QUANTITIES: no plug-in does"
        assert record["metric"] in declared or expected.title != record["metric"] or expected.unit, told
        assert record["unit"] == expected.unit
        assert record["value"] is None or math.isfinite(record["value"])
