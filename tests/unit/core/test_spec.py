import pytest
from pydantic import ValidationError

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
