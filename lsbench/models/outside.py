"""Models of other packages: imported when one is built, so that timm knows it.

Run as a program, it imports plug-ins that need torch, which the check of a suite does not, and prints their
problems: ``python -m lsbench.models.outside mixer=acme_mixer model=acme_net``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import timm

from lsbench.core.catalog import outside_family_models
from lsbench.core.entry_points import describe_entry, import_module, outside_plugins
from lsbench.core.errors import ConfigError, PluginError
from lsbench.core.registry import FAMILIES, MIXERS, MODELS


def register_outside_model(name: str) -> bool:
    """Import the module that registers a model of another package with timm.

    Returns:
        True if `name` is a model of another package.

    Raises:
        PluginError: If the module cannot be imported, or does not register that name.
    """
    name = name.partition(".")[0]  # a tag of weights follows a dot
    family = outside_family_models().get(name)
    if name in MODELS.outside_names():
        entry, kind = outside_plugins(MODELS.group)[name][0], MODELS.kind
        import_module(entry, kind)
    elif family is not None:
        entry, kind = outside_plugins(FAMILIES.group)[family][0], FAMILIES.kind
        FAMILIES.load(family)
    else:
        return False
    if not timm.is_model(name):
        raise PluginError(
            f"{kind} '{entry.name}' ({describe_entry(entry)}): expected importing it to register a model "
            f"'{name}' with timm, found none; decorate a function of that name with timm's @register_model"
        )
    return True


def problems_of(plugins: Sequence[str]) -> list[str]:
    """Return one line for each plug-in that cannot be imported or breaks the contract of its kind.

    Args:
        plugins: ``mixer=NAME`` or ``model=NAME``.
    """
    found: dict[str, None] = {}
    for plugin in plugins:
        kind, _, name = plugin.partition("=")
        try:
            if kind == "mixer":
                MIXERS.load(name)
            else:
                register_outside_model(name)
        except ConfigError as error:
            found.update(dict.fromkeys(error.problems))
    return list(found)


if __name__ == "__main__":
    print(json.dumps(problems_of(sys.argv[1:])))
