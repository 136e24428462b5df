from dataclasses import replace

import numpy as np
import pytest

from lsbench.probes._timing import choose_batch, ratio_record, save_values, time_alone


def test_a_given_batch_is_taken_and_the_largest_is_looked_for_in_a_process_of_its_own(context_of, asked):
    assert choose_batch(context_of(), 32, 8) == (8, None)
    assert asked == []
    assert choose_batch(context_of(), 32, "max") == (32, "throughput")
    assert [request.action for request in asked] == ["fit"]


def test_watchers_are_told_the_batch_and_why_it_is_not_larger(context_of, asked):
    events = []
    choose_batch(replace(context_of(), emit=events.append), 32, "max")
    assert events == [{"ev": "step", "what": "batches of 32: twice as many images are less than 3 % faster"}]


def test_rows_that_take_the_largest_batch_share_a_protocol(context_of, asked):
    timed = time_alone(context_of(), 32, batch="max", min_samples=20)
    assert timed.facets.batch_size == "max"
    assert timed.setting()["batch_size"] == 32
    assert timed.setting()["batch_ended_by"] == "throughput"
    assert "batch_ended_by" not in time_alone(context_of(), 32, batch=1, min_samples=20).setting()


def test_every_sample_is_kept_with_its_mark(context_of, asked, tmp_path):
    context = context_of()
    timed = time_alone(context, 32, batch=1, min_samples=20)
    save_values(context, "latency_ms", np.array(timed.reply.seconds), timed)
    with np.load(tmp_path / "samples_latency_ms.npz") as found:
        assert set(found) == {"samples", "is_disturbed"}
        assert found["samples"].tolist() == timed.reply.seconds
        assert found["is_disturbed"].tolist() == timed.reply.is_disturbed


@pytest.mark.parametrize(("is_rate", "expected"), [(False, 0.5), (True, 2.0)])
def test_a_ratio_is_the_median_over_undisturbed_pairs(is_rate, expected, context_of, asked, tmp_path):
    record = ratio_record(context_of(control="lsnet_nano"), 32, "latency_ratio", batch=1, is_rate=is_rate)
    assert (record.value, record.unit, record.n) == (expected, "ratio", 399)
    assert "|control=lsnet_nano|" in record.protocol
    with np.load(tmp_path / "samples_latency_ratio.npz") as found:
        assert set(found) == {"candidate", "control", "is_disturbed"}
        assert np.array_equal(found["candidate"] * 2, found["control"])
        assert found["is_disturbed"].sum() == 1


def test_the_time_is_shared_out_over_processes(context_of, asked):
    context = context_of(control="lsnet_nano", processes=3, min_s=3, max_s=6)
    record = ratio_record(context, 32, "latency_ratio", batch=1, is_rate=False)
    assert [(request.budget.max_s, request.budget.processes) for request in asked] == [(2, 1)] * 3
    assert (record.n, record.setting["processes"]) == (3 * 399, 3)
