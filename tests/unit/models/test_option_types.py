from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import pytest
from torch import nn

from lsbench.models.option_types import shown, type_problems


class Parent:
    def __init__(self, width: float = 1.0, act: type[nn.Module] = nn.ReLU) -> None:
        pass


class Child(Parent):
    def __init__(
        self,
        depths: Sequence[int] = (1,),
        size: int | tuple[int, int] = 1,
        has_se: bool = True,
        kind: Literal["a", "b"] = "a",
        layer: Callable[..., nn.Module] | None = None,
        title: str = "",
        free=None,
        **others: Any,
    ) -> None:
        super().__init__(**others)


@pytest.mark.parametrize(
    "options",
    [
        {"depths": [2, 2], "size": [3, 3], "has_se": False, "kind": "b", "width": 2},
        {"depths": [], "size": 3, "layer": "relu", "free": object, "act": "gelu", "unknown": 1},
        {"depths": None, "title": None},
    ],
)
def test_what_fits_or_is_not_declared_is_no_problem(options):
    assert type_problems(Child, options, owner="it") == []


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("depths", 3, "it: expected a list of whole numbers as 'depths', found 3"),
        ("depths", "3", "it: expected a list of whole numbers as 'depths', found \"3\""),
        ("depths", ["a"], "it: expected a list of whole numbers as 'depths', found [\"a\"]"),
        ("size", "x", "it: expected a whole number or a list of whole numbers as 'size', found \"x\""),
        ("has_se", "no", "it: expected true or false as 'has_se', found \"no\""),
        ("has_se", 1, "it: expected true or false as 'has_se', found 1"),
        ("kind", "c", "it: expected one of a, b as 'kind', found \"c\""),
        ("title", 3, "it: expected a text as 'title', found 3"),
        ("width", "1", "it: expected a number as 'width', found \"1\""),
        ("width", True, "it: expected a number as 'width', found true"),
    ],
)
def test_another_type_is_one_line(option, value, message):
    assert type_problems(Child, {option: value}, owner="it") == [message]


def test_a_function_with_types_that_do_not_exist_takes_everything():
    def build(dim: NoSuchType, kernel: int = 3):  # noqa: F821
        pass

    assert type_problems(build, {"kernel": "x"}, owner="it") == []


def test_long_values_are_shortened():
    assert len(shown({"depths": [1] * 1000})) == 60
