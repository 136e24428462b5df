import pytest

from lsbench.core.facets import Facets
from lsbench.core.record import measured
from lsbench.tables.frames.ways import Part, zip_ways

TESTED = Facets(method="x-c-live", corruptions=("fog", "snow"), n=5, version="1")


def stored(facets, **more):
    return measured("top1", 0.5, facets=facets, **more).model_dump(mode="json")


def of_version_1(facets):
    return {key: value for key, value in stored(facets).items() if key != "facets"}


@pytest.mark.parametrize("store", [stored, of_version_1])
def test_a_record_of_either_version_tells_its_part_and_the_protocol_of_the_whole(store):
    whole = TESTED.model_copy(update={"split": "test", "weights": "last"})
    told = [whole, whole.of_epoch(3), whole.of_corruption("fog"), whole.of_corruption("fog", 2)]
    records = [store(facets) for facets in told]
    found = list(zip_ways(records))
    assert [record for record, _ in found] == records
    ways = [way for _, way in found]
    assert [way.part for way in ways] == [Part.WHOLE, Part.EPOCH, Part.CORRUPTION, Part.CORRUPTION]
    assert {way.protocol for way in ways} == {"x-c-live|c=fog+snow|n=5|v1"}
    assert [(way.epoch, way.corruption, way.severity) for way in ways] == [
        (None, None, None),
        (3, None, None),
        (None, "fog", None),
        (None, "fog", 2),
    ]
    assert {way.method for way in ways} == {"x-c-live"}
    assert {Facets.model_validate_json(way.facets) for way in ways} == {whole}


def test_a_record_of_one_class_is_a_part_of_its_own():
    whole = Facets(method="retinanet", n=5, version="1")
    of_class = whole.of_category("traffic light")
    (way,) = (way for _, way in zip_ways([stored(of_class)]))
    assert (way.part, way.protocol, way.category) == (Part.CATEGORY, "retinanet|n=5|v1", "traffic light")
    assert Facets.model_validate_json(way.facets) == whole
    assert of_class.is_of_a_part


def test_a_text_of_ones_own_is_kept_and_facets_beside_it_count():
    few, many = (stored(Facets(classes=n).of_epoch(1), protocol="acme|v1") for n in (10, 1000))
    ways = [way for _, way in zip_ways([few, many])]
    assert [(way.part, way.protocol, way.epoch) for way in ways] == [(Part.EPOCH, "acme|v1", 1)] * 2
    assert [Facets.model_validate_json(way.facets).classes for way in ways] == [10, 1000]


def test_facets_that_nobody_knows_are_refused():
    with pytest.raises(ValueError, match="colour"):
        list(zip_ways([{"protocol": "p", "facets": {"colour": "red"}}]))


def test_models_are_compared_each_on_the_images_that_its_weights_want():
    shared = {"split": "test", "weights": "pretrained", "preprocess": "model", "n": 5, "version": "1"}
    one = Facets(res=224, crop_pct=0.875, interpolation="bicubic", normalisation="imagenet", **shared)
    two = Facets(res=256, crop_pct=0.95, crop_mode="squash", normalisation="clip", **shared)
    ways = [way for _, way in zip_ways([stored(one), stored(two)])]
    assert [way.protocol for way in ways] == ["test|pretrained|preprocess=model|n=5|v1"] * 2
    assert [Facets.model_validate_json(way.facets) for way in ways] == [Facets(**shared)] * 2
    fixed = TESTED.model_copy(
        update={"preprocess": "model", "crop": 224, "res": 256, "normalisation": "clip"}
    )
    (way,) = (way for _, way in zip_ways([stored(fixed.of_corruption("fog", 1))]))
    assert way.protocol == "x-c-live|c=fog+snow|preprocess=model|res=256|crop=224|n=5|v1"
    chosen = Facets(split="test", res=224, crop_pct=1.0)
    (way,) = (way for _, way in zip_ways([stored(chosen)]))
    assert way.protocol == "test|res=224|crop_pct=1"
