from typing import Literal

import numpy as np
import pytest
from pydantic import Field, ValidationError

from lsbench.core.spec import StrictModel


class Example(StrictModel):
    model_size: float = 1.0


def test_unknown_keys_are_refused():
    with pytest.raises(ValidationError, match="Extra inputs"):
        Example(model_siez=2.0)


def test_it_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Example().model_size = 2.0


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_numbers_are_finite(value):
    with pytest.raises(ValidationError, match="finite"):
        Example(model_size=value)


class Numbers(StrictModel):
    count: int = 0
    counts: tuple[int, ...] = ()
    rates: dict[str, float] = Field(default={})
    share: float | Literal["auto"] | None = None
    default: Example = Example()


@pytest.mark.parametrize(
    "values",
    [
        *({"count": value} for value in (True, "8", "010", "1_000", b"8", 1.5, 2**63, -(2**64), 1e19)),
        *({"counts": [value]} for value in (True, "8", 2**63)),
        *({"rates": {"a": value}} for value in (True, "1e-3")),
        *({"share": value} for value in (True, "0.5")),
        {"default": {"model_size": True}},
    ],
    ids=str,
)
def test_texts_truths_and_large_integers_are_no_numbers(values):
    with pytest.raises(ValidationError):
        Numbers(**values)


def test_numbers_of_every_kind_are_taken():
    found = Numbers(count=np.int64(3), counts=[1, 2.0], rates={"a": 1, "b": np.float32(0.5)}, share="auto")
    assert found.model_dump() == {
        **{"count": 3, "counts": (1, 2), "rates": {"a": 1.0, "b": 0.5}, "share": "auto"},
        "default": {"model_size": 1.0},
    }
    assert Numbers(count=2**63 - 1).count == 2**63 - 1
    assert Numbers.model_json_schema()["properties"]["count"]["type"] == "integer"
