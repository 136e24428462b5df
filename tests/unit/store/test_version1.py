import json
from pathlib import Path

import pytest

from lsbench.core.facets import Facets, render_protocol
from lsbench.store.version1 import facets_of_text

TESTS = Path(__file__).parents[2]
STORES = [TESTS / "golden/results/golden/default", TESTS / "stored/before/results/before/default"]


@pytest.mark.parametrize("store", STORES, ids=["golden", "before"])
def test_every_stored_protocol_gives_facets_that_give_it_back(store):
    lines = (store / "records.jsonl").read_text(encoding="utf-8").splitlines()
    protocols = {json.loads(line)["protocol"] for line in lines}
    assert len(protocols) > 10
    assert {protocol: render_protocol(facets_of_text(protocol)) for protocol in protocols} == {
        protocol: protocol for protocol in protocols
    }


FORM = {"precision": "bf16", "channels_last": True, "fused": True, "compiled": True}
C = {"split": "test", "weights": "last", "version": "1"}


@pytest.mark.parametrize(
    ("protocol", "told"),
    [
        (
            "train|300ep|bs=512|lr=1e-05|v1|epoch=12",
            {"method": "train", "epochs": 300, "batch_size": 512, "lr": 1e-5, "version": "1", "epoch": 12},
        ),
        ("test|res=224|n=7500|v1", {**C, "res": 224, "n": 7500}),
        ("train|ema|res=32|n=9|v1", {**C, "split": "train", "weights": "ema", "res": 32, "n": 9}),
        ("val|pretrained|res=224|classes=200|n=7500|v1", {
            **C, "split": "val", "weights": "pretrained", "res": 224, "classes": 200, "n": 7500,
        }),
        ("cka|test|fresh|other=id|batch=4|res=32|n=6|v1.1", {
            "method": "cka", "split": "test", "weights": "fresh", "other": "id", "batch_size": 4, "res": 32,
            "n": 6, "version": "1.1",
        }),
        ("erf|train|res=32|n=6|v1.1", {
            "method": "erf", "split": "train", "weights": "last", "res": 32, "n": 6, "version": "1.1",
        }),
        ("imagenet-c-files|c15|s5|crop=224|ref=alexnet-HD19|n=50000|v1", {
            **C, "method": "imagenet-c-files", "corruptions": 15, "severities": 5, "crop": 224,
            "reference": "alexnet-HD19", "n": 50_000,
        }),
        ("x-c-live|c=snow+fog|s=1+3|res=45|crop=40|original|png|ref=none|n=4|val|ema|v1|corruption=fog/3", {
            "method": "x-c-live", "corruptions": ("snow", "fog"), "severities": (1, 3), "res": 45, "crop": 40,
            "family": "original", "reference": "none", "n": 4, "split": "val", "weights": "ema",
            "version": "1", "corruption": "fog", "severity": 3,
        }),
        ("b=max|bf16|nhwc|fused|compiled+graph|res=32|cuda|v2", {
            **FORM, "batch_size": "max", "cuda_graphs": True, "res": 32, "device": "cuda", "version": "2",
        }),
        ("b=1|bf16|nhwc|fused|compiled|res=32|cpu|threads=3|control=lsnet_nano+swin+ab12cd|v2", {
            **FORM, "batch_size": 1, "cuda_graphs": False, "res": 32, "device": "cpu", "threads": 3,
            "control": "lsnet_nano+swin+ab12cd", "version": "2",
        }),
        ("params|unfused|v1", {"method": "params", "fused": False, "version": "1"}),
    ],
)  # fmt: skip
def test_facets_are_those_that_a_job_of_today_tells(protocol, told):
    assert facets_of_text(protocol) == Facets(**told)
    assert render_protocol(facets_of_text(protocol)) == protocol


@pytest.mark.parametrize(
    ("protocol", "told"),
    [
        ("acme|boxes|iou=0.5|v3", {"method": "acme", "more": {"iou": "0.5"}, "version": "3"}),
        ("acme|epoch=x", {"method": "acme", "more": {"epoch": "x"}}),
        ("acme|epoch=|v1", {"method": "acme", "version": "1"}),
        ("acme|res=big", {"method": "acme", "more": {"res": "big"}}),
        ("", {}),
    ],
)
def test_of_a_text_that_others_made_up_what_can_be_read_is_read(protocol, told):
    assert facets_of_text(protocol) == Facets(**told)
