from itertools import product

import pytest
from pydantic import ValidationError

from lsbench.core.facets import Facets, render_part, render_protocol

TRAINED = Facets(method="train", epochs=300, batch_size=512, lr=0.004, version="1")


def test_what_is_not_told_is_not_stored_and_comes_back():
    assert Facets().model_dump() == {}
    assert TRAINED.of_epoch(3).model_dump(mode="json") == {
        "method": "train",
        "epochs": 300,
        "batch_size": 512,
        "lr": 0.004,
        "version": "1",
        "epoch": 3,
    }
    told = Facets(corruptions=("fog", "snow"), severities=5, fused=False, more={"iou": 0.5, "is_soft": True})
    again = Facets.model_validate_json(told.model_dump_json())
    assert again == told
    assert hash(again) == hash(told)
    assert len({told, again, TRAINED}) == 2


def test_a_typo_and_a_severity_of_nothing_are_refused():
    with pytest.raises(ValidationError, match="clases"):
        Facets(clases=10)
    with pytest.raises(ValidationError, match="severity: expected with a corruption, found 3 alone"):
        Facets(severity=3)


def test_a_number_of_a_part_knows_the_whole():
    assert not TRAINED.is_of_a_part
    assert TRAINED.whole is TRAINED
    for part in (TRAINED.of_epoch(3), TRAINED.of_corruption("fog"), TRAINED.of_corruption("fog", 2)):
        assert part.is_of_a_part
        assert part.whole == TRAINED
        assert render_protocol(part) == render_protocol(TRAINED) + render_part(part)


def test_facets_hold_what_is_asked_for():
    found = Facets(split="test", classes=200, corruptions=15, fused=False, more={"iou": 0.5})
    assert found.has_all_of(Facets())
    assert found.has_all_of(Facets(classes=200, fused=False, more={"iou": 0.5}))
    for other in (Facets(classes=100), Facets(n=3), Facets(fused=True), Facets(more={"iou": 0.7})):
        assert not found.has_all_of(other)
    assert found.without("classes") == found.model_copy(update={"classes": None})


# What each job kind and probe wrote by itself before facets: the same text, to the letter.


@pytest.mark.parametrize(("epochs", "lr"), product([1, 300], [0.004, 1e-05, 1e20, 0.1234567, 3.0]))
def test_trainings_have_the_text_that_they_always_had(epochs, lr):
    facets = TRAINED.model_copy(update={"epochs": epochs, "lr": lr})
    text = f"train|{epochs}ep|bs=512|lr={lr:g}|v1"
    assert render_protocol(facets) == text
    assert render_protocol(facets.of_epoch(12)) == f"{text}|epoch=12"


WEIGHTS = {"last": "", "ema": "|ema", "pretrained": "|pretrained", "fresh": "|fresh"}


@pytest.mark.parametrize(
    ("split", "weights", "classes"), product(["train", "val", "test"], WEIGHTS, [None, 200])
)
def test_evaluations_have_the_text_that_they_always_had(split, weights, classes):
    facets = Facets(split=split, weights=weights, res=224, classes=classes, n=50_000, version="1")
    inside = "" if classes is None else f"|classes={classes}"
    assert render_protocol(facets) == f"{split}{WEIGHTS[weights]}|res=224{inside}|n=50000|v1"


@pytest.mark.parametrize(
    ("kind", "split", "weights", "other"),
    product(["erf", "cka"], ["train", "test"], WEIGHTS, [None, "ls_conv+x"]),
)
def test_analyses_have_the_text_that_they_always_had(kind, split, weights, other):
    size = 10 if kind == "cka" else None
    facets = Facets(method=kind, split=split, weights=weights, other=other, batch_size=size, res=32, n=6)
    against = "" if other is None else f"|other={other}"
    batch = "|batch=10" if kind == "cka" else ""
    text = f"{kind}|{split}{WEIGHTS[weights]}{against}{batch}|res=32|n=6|v1.2"
    assert render_protocol(facets.model_copy(update={"version": "1.2"})) == text


@pytest.mark.parametrize(
    ("corruptions", "severities", "jpeg", "split", "weights", "reference"),
    product(
        [15, ("snow", "fog")], [5, (1, 3)], [None, 85], ["val", "test"], ["last", "ema"], ["none", "knn5"]
    ),
)
def test_corrupted_images_have_the_text_that_they_always_had(
    corruptions, severities, jpeg, split, weights, reference
):
    facets = Facets(
        method="fashion-c-live",
        corruptions=corruptions,
        severities=severities,
        res=256,
        crop=224,
        family="imagecorruptions",
        jpeg_quality=jpeg,
        reference=reference,
        n=40,
        split=split,
        weights=weights,
        version="1",
    )
    which = "c15" if corruptions == 15 else "c=snow+fog"
    how_much = "s5" if severities == 5 else "s=1+3"
    file = "png" if jpeg is None else f"jpeg={jpeg}"
    end = ("" if split == "test" else f"|{split}") + WEIGHTS[weights]
    text = (
        f"fashion-c-live|{which}|{how_much}|res=256|crop=224|imagecorruptions|{file}"
        f"|ref={reference}|n=40{end}|v1"
    )
    assert render_protocol(facets) == text
    assert render_protocol(facets.of_corruption("fog")) == f"{text}|corruption=fog"
    assert render_protocol(facets.of_corruption("fog", 3)) == f"{text}|corruption=fog/3"


@pytest.mark.parametrize(
    ("batch", "precision", "channels_last", "fused", "compiled", "graphs", "threads"),
    product(
        [1, "max"], ["fp32", "bf16"], [False, True], [False, True], [False, True], [False, True], [None, 3]
    ),
)
def test_timings_have_the_text_that_they_always_had(
    batch, precision, channels_last, fused, compiled, graphs, threads
):
    facets = Facets(
        batch_size=batch,
        precision=precision,
        channels_last=channels_last,
        fused=fused,
        compiled=compiled,
        cuda_graphs=graphs,
        res=32,
        device="cpu" if threads else "cuda",
        threads=threads,
        control="lsnet_nano+swin",
        version="2",
    )
    layout = "nhwc" if channels_last else "nchw"
    how = ("compiled" if compiled else "eager") + ("+graph" if graphs else "")
    form = f"{precision}|{layout}|{'fused' if fused else 'unfused'}|{how}"
    where = f"cpu|threads={threads}" if threads else "cuda"
    assert render_protocol(facets) == f"b={batch}|{form}|res=32|{where}|control=lsnet_nano+swin|v2"


def test_corruptions_of_other_packages_stand_behind_lsbenchs_own():
    outside = {"method": "x-c-live", "outside_corruptions": ("acme_haze",)}
    assert render_protocol(Facets(**outside, corruptions=15)) == "x-c-live|c15+acme_haze"
    assert render_protocol(Facets(**outside, corruptions=("fog",))) == "x-c-live|c=fog+acme_haze"


def test_counts_have_the_text_that_they_always_had():
    assert render_protocol(Facets(method="params", fused=False, version="1")) == "params|unfused|v1"
    assert (
        render_protocol(Facets(method="fvcore", fused=True, res=32, version="1")) == "fvcore|fused|res=32|v1"
    )


def test_facets_of_other_packages_stand_before_the_version():
    facets = Facets(method="acme", res=640, more={"iou": 0.5, "is_soft": True, "head": "fpn"}, version="3")
    assert render_protocol(facets) == "acme|res=640|iou=0.5|is_soft=true|head=fpn|v3"
