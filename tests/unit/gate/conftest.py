"""Rows of the gate, filled by hand."""

import numpy as np
import pytest

from lsbench.gate.judge import Judgement, judge
from lsbench.gate.measurement import GateRow, Images, Measurement, Pairs, RowKey
from lsbench.store.right_images import RightImages
from lsbench.suite.gate import GateRule

RULES = {
    "top1": GateRule(metric="top1", direction="higher", min_effect=0.005, alpha=0.01),
    "loss": GateRule(metric="loss", direction="lower", min_effect=0.05, alpha=0.01),
    "latency_ratio": GateRule(metric="latency_ratio", direction="lower", min_effect=0.03, alpha=0.01),
    "macs": GateRule(metric="macs", direction="lower", min_effect=0, alpha=0.01),
}


@pytest.fixture
def rules():
    return dict(RULES)


@pytest.fixture
def make_row():
    """Return a row; each keyword is a value for all seeds."""

    def make(metric, values, *, variant="ls", protocol="p|v1", dataset="fashion", seeds=None, **more):
        seeds = seeds if seeds is not None else [None] if len(values) == 1 else list(range(len(values)))
        usual = {"job_id": "evaluate-0", "machine": "a cpu", "code": "c0", "commit": "abc"}
        measurements = [
            Measurement(seed=seed, value=value, **{**usual, **more})
            for seed, value in zip(seeds, values, strict=True)
        ]
        return GateRow(
            key=RowKey(variant, metric, protocol, dataset), title=variant, measurements=tuple(measurements)
        )

    return make


@pytest.fixture
def make_images(make_row):
    """Return a row of one model whose first `right` of `count` images are right, but for those in `wrong`."""

    def make(right=7000, count=10_000, *, wrong=(), sha256="images", weights="w", **more):
        bits = np.arange(count) < right
        bits[list(wrong)] = False
        images = Images.pack(RightImages.pack(bits, sha256))
        return make_row("top1", [float(bits.mean())], images=images, weights=weights, **more)

    return make


@pytest.fixture
def make_pairs(make_row):
    """Return a row of timings: `slow` times the usual ratio, on a machine `drift` times as slow."""

    def make(slow=1.0, *, drift=1.0, noise=0.01, count=320, seed=0, **more):
        rng = np.random.default_rng(seed)
        control = 0.004 * drift * rng.lognormal(0, 0.1, count)
        candidate = control * 1.2 * slow * rng.lognormal(0, noise, count)
        pairs = Pairs.pack(candidate, control)
        value = float(np.median(pairs.ratios()))
        return make_row("latency_ratio", [value], pairs=pairs, dataset=None, **more)

    return make


@pytest.fixture
def judgement(rules, make_images, make_pairs, make_row):
    """One row of each verdict."""
    awkward = "<b>|x\x00*"
    before = [
        make_images(),
        make_images(6000, variant="better"),
        make_images(variant=awkward),
        make_images(variant="gone"),
        make_pairs(),
        make_row("macs", [3e8]),
    ]
    after = [
        make_images(),
        make_images(7000, variant="better"),
        make_images(variant=awkward, wrong=range(100)),
        make_pairs(1.02, seed=1),
        make_row("macs", [3e8]),
    ]
    findings = judge(before, after, [rules[name] for name in ("top1", "latency_ratio", "macs")])
    return Judgement("nightly", "default", "abc", tuple(findings), ("A note with <b>.",))
