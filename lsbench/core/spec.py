"""The base class of everything read from YAML or JSON: strict and immutable, without unknown keys."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema

#: The largest integer that results can store: 64 bits with a sign.
MAX_INT = 2**63 - 1
#: Parts of a schema that hold values, not schemas.
_NO_SCHEMAS = ("default", "metadata", "serialization", "expected", "config")


def _whole_number(value: Any) -> Any:
    if isinstance(value, bool | str | bytes):
        raise PydanticKnownError("int_type")
    if isinstance(value, int | float) and abs(value) > MAX_INT:
        raise PydanticCustomError("int_size", "expected an integer of at most 64 bits")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool | str | bytes):
        raise PydanticKnownError("float_type")
    return value


_CHECKS = {"int": _whole_number, "float": _number}


def _with_checked_numbers(schema: Any) -> Any:
    """Return a core schema of pydantic in which each number is checked before it is converted."""
    if isinstance(schema, list):
        return [_with_checked_numbers(part) for part in schema]
    if not isinstance(schema, dict) or _is_checked(schema):
        return schema
    kind = schema.get("type")
    if isinstance(kind, str) and kind in _CHECKS:
        return core_schema.no_info_before_validator_function(_CHECKS[kind], schema)
    return {
        key: {name: _with_checked_numbers(field) for name, field in value.items()}
        if key == "fields" and isinstance(value, dict)
        else value
        if key in _NO_SCHEMAS
        else _with_checked_numbers(value)
        for key, value in schema.items()
    }


def _is_checked(schema: dict[str, Any]) -> bool:
    found = schema.get("function")
    return isinstance(found, dict) and found.get("function") in _CHECKS.values()


class StrictModel(BaseModel):
    """A frozen pydantic model that rejects unknown keys, so that typos are never ignored.

    A number is a number: the text ``"8"`` is none, ``true`` is not 1, and an integer has at most 64 bits.
    """

    # Most commands use few of the models: each is built when it is first used.
    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False, defer_build=True
    )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return pydantic's schema, with numbers that are checked."""
        schema: CoreSchema = _with_checked_numbers(handler(source))
        return schema
