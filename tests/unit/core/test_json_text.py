import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsbench.core.json_text import to_json

#: Any text of Python, with the halves of surrogate pairs that file names and errors can hold.
TEXTS = st.text(st.characters())
VALUES = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def is_utf8(text):
    return text == text.encode(errors="ignore").decode()


@settings(deadline=None)
@given(VALUES)
def test_every_value_becomes_json_that_every_reader_takes(value):
    content = to_json(value)
    found = json.loads(content.decode("utf-8", "strict"))
    assert is_utf8(json.dumps(found, ensure_ascii=False))
    if is_utf8(json.dumps(value, ensure_ascii=False)):
        assert found == value


@settings(deadline=None)
@given(TEXTS)
def test_no_character_is_lost(text):
    found = json.loads(to_json(text))
    written_out = text.encode("utf-8", "backslashreplace").decode()
    assert found == written_out
    assert is_utf8(found)


def test_a_file_name_that_is_not_utf8_is_readable():
    name = b"b\xfcgel.png".decode(errors="surrogateescape")
    assert (
        to_json({name: [name]}, indent=1).decode()
        == '{\n "b\\\\udcfcgel.png": [\n  "b\\\\udcfcgel.png"\n ]\n}'
    )


def test_what_json_cannot_say_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        to_json([float("nan")], allow_nan=False)
    with pytest.raises(TypeError):
        to_json({"a": object()})
