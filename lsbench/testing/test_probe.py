"""Contract of every probe: finite numbers of declared quantities, and an unchanged model."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from lsbench.core.record import Record
from lsbench.core.registry import PROBES
from lsbench.models.factory import create_model
from lsbench.testing.samples import context_of, create_graph

#: Settings for the shortest possible timing.
SETTINGS = {"control": "lsnet_nano", "batch_size": 2, "min_s": 0, "max_s": 0.5, "max_disturbed": 0.99}


def test_it_gives_numbers_that_it_declares_and_changes_no_weight(name: str, tmp_path: Path) -> None:
    [job] = create_graph(tmp_path, [{"profile": {**SETTINGS, "probes": [name]}}]).jobs
    torch.manual_seed(0)
    model = create_model("lsnet_nano", mixer="identity", num_classes=10, img_size=32).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    records = list(PROBES.load(name)(model, 32, context_of(job, tmp_path)))
    assert records
    declared = {quantity.name: quantity for quantity in PROBES.module(name).QUANTITIES}
    for record in records:
        assert isinstance(record, Record)
        assert record.metric in declared, f"declare '{record.metric}' in QUANTITIES"
        assert record.unit == declared[record.metric].unit
        assert record.protocol
        assert record.value is None or math.isfinite(record.value)
    keys = [(record.metric, record.dataset, record.protocol) for record in records]
    assert len(set(keys)) == len(keys), "two records of one metric need two protocols"
    for key, value in model.state_dict().items():
        assert torch.equal(before[key], value)


def test_it_is_a_profile_job_that_costs_something(name: str, tmp_path: Path) -> None:
    [job] = create_graph(tmp_path, [{"profile": {**SETTINGS, "probes": [name]}}]).jobs
    from lsbench.core.registry import JOBS

    kind = JOBS.load("profile")
    cost = kind.cost(kind.spec.model_validate(job.spec), 1e6, lambda split: 20)
    assert cost == pytest.approx(cost)
    assert cost > 0
