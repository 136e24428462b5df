import hashlib
import math

import pytest

from lsbench.core.ids import canonical_json, content_hash


def test_the_order_of_keys_does_not_matter_but_that_of_lists_does():
    assert canonical_json({"b": [1, 2], "a": {"y": 1, "x": 2}}) == canonical_json(
        {"a": {"x": 2, "y": 1}, "b": [1, 2]}
    )
    assert canonical_json([1, 2]) != canonical_json([2, 1])


def test_the_hash_is_a_prefix_of_the_sha256_of_the_utf8_text():
    expected = hashlib.sha256('{"a":"ü"}'.encode()).hexdigest()
    assert content_hash({"a": "ü"}) == expected[:12]
    assert content_hash({"a": "ü"}, length=64) == expected


def test_types_that_print_alike_differ():
    assert len({content_hash(value) for value in (1, 1.5, "1", True, None, [1])}) == 6


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_hold_is_refused(value):
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": [value]})


def test_an_object_is_refused():
    with pytest.raises(TypeError):
        content_hash({"a": object()})
