import dataclasses
import enum
import functools
import math
from types import ModuleType

import pytest
from torch import nn

from lsbench.core import promises
from lsbench.core.promises import Promise, broken_quantities, class_at, describe
from lsbench.core.quantity import Quantity
from lsbench.metrics import Metric


def test_a_function_or_an_instance_keeps_a_promise_of_either():
    assert promises.METRIC.broken_by(lambda logits, targets: logits) is None
    assert promises.METRIC.broken_by(Metric(print)) is None
    assert promises.METRIC.broken_by(dict.get) is None
    assert promises.METRIC.broken_by(Metric("x")) == (
        "expected its per_image to be a function, found the text 'x'"
    )


class Scale(nn.Module):
    def __init__(self, dim):
        super().__init__()


@dataclasses.dataclass
class Settings:
    dim: int


class Kind(enum.Enum):
    A = 1


async def later(dim):
    return Scale(dim)


def one_by_one(dim):
    yield Scale(dim)


def scaled(dim, factor):
    return Scale(dim * factor)


@pytest.mark.parametrize("found", [Scale, functools.partial(scaled, factor=2), lambda dim: scaled(dim, 2)])
def test_a_mixer_is_a_class_of_modules_or_a_function(found):
    assert promises.MIXER.broken_by(found) is None


@pytest.mark.parametrize(
    "found", [Settings, Kind, Kind.A, int, ValueError, Scale(3), later, one_by_one, scaled, math, None, "a"]
)
def test_what_gives_no_module_is_no_mixer(found):
    assert promises.MIXER.broken_by(found).startswith(
        "expected a class or function of the number of channels, found"
    )


def test_a_class_or_coroutine_is_no_function():
    for promise in (promises.METRIC, promises.PROBE, promises.REPORT, promises.CORRUPTION):
        for found in (Kind, Settings, int, ValueError, later, math):
            assert promise.broken_by(found).startswith(f"expected {promise.words}, found")


def test_names_are_a_list_of_texts():
    assert promises.FAMILY.broken_by(("a", "b")) is None
    for found in ((), ("a", 1), "ab", None):
        assert promises.FAMILY.broken_by(found).startswith(
            "expected a tuple of the names of its models, found"
        )


def test_parts_are_checked_one_by_one():
    promise = Promise("a metric", "lsbench.metrics:Metric", subclasses=(("attack", "builtins:dict"),))
    assert promise.broken_by(Metric(print, attack=dict)) is None
    assert promise.broken_by(Metric(print)) == (
        "expected its attack to be a subclass of dict, found an object of NoneType"
    )


def test_quantities_are_a_tuple_of_quantities_or_none():
    module = ModuleType("one")
    assert broken_quantities(module) is None
    module.QUANTITIES = (Quantity("a", "", None, "a"),)
    assert broken_quantities(module) is None
    module.QUANTITIES = Quantity("a", "", None, "a")
    assert (
        broken_quantities(module)
        == "expected QUANTITIES to be a tuple of Quantity, found an object of Quantity"
    )


@pytest.mark.parametrize(
    "promise", [value for value in vars(promises).values() if isinstance(value, Promise) and value.type]
)
def test_the_classes_that_promises_name_exist(promise):
    assert isinstance(class_at(promise.type), type)
    assert all(isinstance(class_at(path), type) for _, path in promise.subclasses)


def test_objects_are_described_for_people():
    assert describe(ModuleType("acme")) == "the module acme"
    assert describe("x" * 60) == f"the text {'x' * 40!r}"
