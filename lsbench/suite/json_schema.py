"""The JSON Schema of a suite file, with the settings of every job kind and data set filled in."""

from __future__ import annotations

from typing import Any

from lsbench.core.catalog import model_names
from lsbench.core.job import JobKind, Resources
from lsbench.core.registry import DATASETS, JOBS, MIXERS
from lsbench.suite.schema import NAME, SuiteFile


def suite_json_schema() -> dict[str, Any]:
    """Return a JSON Schema (draft 2020-12) with which editors complete and check suite files."""
    schema = SuiteFile.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "lsbench suite"
    # Required keys may be in the file that this file extends.
    complete = [key for key in schema["required"] if key not in ("version", "name")]
    schema["required"] = ["version", "name"]
    schema["anyOf"] = [{"required": complete}, {"required": ["extends"]}]
    definitions = schema["$defs"]
    jobs, datasets = JOBS.usable_names(), DATASETS.usable_names()
    definitions["Job"] = {"anyOf": [{"enum": jobs}, *(_job(name, definitions) for name in jobs)]}
    definitions["Dataset"] = {
        "anyOf": [{"enum": datasets}, *(_dataset(name, definitions) for name in datasets)]
    }
    for owner in (schema, definitions["Overlay"]):
        owner["properties"]["jobs"] = {"type": "array", "items": {"$ref": "#/$defs/Job"}}
    for owner in (definitions["Defaults"], definitions["VariantEntry"]):
        owner["properties"]["dataset"] = {"$ref": "#/$defs/Dataset"}
        # Null removes a value that the extended file sets.
        owner["properties"]["mixer"] = {"enum": [*MIXERS.names(), None]}
        owner["properties"]["model"] = {"enum": [*model_names(), None]}
    return schema


def _job(name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    kind: JobKind = JOBS.load(name)
    settings = _inlined(kind.spec.model_json_schema(), definitions)
    resources = _inlined(Resources.model_json_schema(), definitions)
    for field in kind.spec.data_fields:
        settings["properties"][field] = {"anyOf": [{"$ref": "#/$defs/Dataset"}, {"type": "null"}]}
    settings["properties"] |= {
        "name": {"type": "string", "pattern": NAME},
        "needs": {"type": "array", "items": {"type": "string"}},
        "resources": resources,
    }
    short = [settings["properties"][kind.spec.short_field]] if kind.spec.short_field else []
    return {
        "type": "object",
        "properties": {name: {"anyOf": [settings, {"type": "null"}, *short]}},
        "required": [name],
        "additionalProperties": False,
    }


def _dataset(name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    settings = _inlined(DATASETS.load(name).spec.model_json_schema(), definitions)
    settings["properties"]["name"] = {"const": name}
    return settings


def _inlined(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    definitions.update(schema.pop("$defs", {}))
    return schema
