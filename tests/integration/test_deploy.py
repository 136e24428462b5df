"""The shipped suite of deployment, cut down: trained, tested and timed in real runtimes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from .conftest import Cli, read_lines

SMALL = (
    "defaults.dataset.train_images=640",
    "defaults.dataset.val_images=10",
    "defaults.dataset.test_images=400",
    "jobs.train.epochs=1",
    *(f"jobs.{job}.max_s=0.5" for job in ("profile", "time_onnxruntime_int8", "time_openvino")),
    *(f"jobs.{job}.min_s=0" for job in ("profile", "time_onnxruntime_int8", "time_openvino")),
)
RUNTIMES = {
    "evaluate": "|res=32|",
    "onnxruntime": "|fp32|fused|onnxruntime=",
    "onnxruntime_int8": "|int8|static|calibrated=128|fused|onnxruntime=",
    "openvino": "|fp32|fused|openvino=",
    "openvino_int8": "|int8|static|calibrated=128|fused|openvino=",
}


@pytest.mark.slow
def test_a_table_says_what_int8_costs_and_gains(cli: Cli) -> None:
    sets = [word for text in SMALL for word in ("--set", text)]
    words = ["--only", "rep_mixer", "--skip", "time_onnxruntime", "--skip", "time_openvino_int8"]

    process = cli.start("run", "deploy", "--scheduler", "inline", *words, *sets)
    # Nine models are exported, which takes minutes on a busy machine.
    out, err = process.communicate(timeout=1200)

    assert process.returncode == 0, err
    [root] = (cli.folder / "results" / "deploy").iterdir()
    jobs = {job["job_id"]: job["label"].split("/")[1] for job in read_lines(root / "jobs.jsonl")}
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for record in read_lines(root / "records.jsonl"):
        found.setdefault(jobs[record["job_id"]], {})[record["metric"]] = record
    for name, form in RUNTIMES.items():
        assert form in found[name]["top1"]["protocol"]
        assert found[name]["top1"]["n"] == 400
    plain = found["evaluate"]["top1"]["value"]
    for name in ("onnxruntime", "openvino"):
        assert found[name]["runtime_difference"]["value"] < 1e-4
        assert found[name]["runtime_agreement"]["value"] == 1
        assert found[name]["top1"]["value"] == plain
        int8 = found[f"{name}_int8"]
        assert int8["runtime_difference"]["value"] > 1e-4
        change = int8["top1_change"]
        assert change["value"] == pytest.approx(int8["top1"]["value"] - plain)
        assert change["ci_low"] < change["value"] < change["ci_high"]
    for name in ("profile", "time_onnxruntime_int8", "time_openvino"):
        assert {"latency_ms", "throughput", "latency_ratio", "throughput_ratio"} <= set(found[name])
    assert "onnxruntime int8 static" in out
