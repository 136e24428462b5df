import pytest
from pydantic import Field, ValidationError, field_validator

from lsbench.core.spec import StrictModel
from lsbench.core.validation import place_of, reason_of


class Inner(StrictModel):
    share: float = Field(default=0.5, ge=0)

    @field_validator("share")
    @classmethod
    def _is_a_share(cls, value):
        if value > 1:
            raise ValueError(f"Expected at most 1, found {value:g}" if value > 9 else "Expected at most 1")
        return value


class Settings(StrictModel):
    name: str
    parts: tuple[Inner, ...] = ()


def told(**values):
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(values)
    return [(place_of(item), reason_of(item)) for item in caught.value.errors()]


@pytest.mark.parametrize(
    ("values", "where", "why"),
    [
        ({}, "name", "this key is required"),
        ({"name": "a", "nane": "b"}, "nane", "unknown key"),
        ({"name": 3}, "name", "input should be a valid string, found 3"),
        ({"name": ["a"]}, "name", "input should be a valid string"),
        ({"name": "a", "parts": [{}, {"share": 2}]}, "parts.1.share", "expected at most 1, found 2"),
        ({"name": "a", "parts": [{"share": 12}]}, "parts.0.share", "expected at most 1, found 12"),
        ({"name": "a", "parts": 3}, "parts", "input should be a valid tuple, found 3"),
    ],
)
def test_a_message_has_place_reason_and_value_and_none_of_pydantics_prefixes(values, where, why):
    assert told(**values) == [(where, why)]


def test_a_long_text_is_cut():
    [(_, why)] = told(name="a", parts="x" * 5000)
    assert len(why) < 200
