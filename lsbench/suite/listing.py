"""Print plans and lists of names as lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lsbench.core import registry
from lsbench.core.catalog import model_names
from lsbench.suite.loader import shipped_suites
from lsbench.suite.marked_yaml import read_yaml
from lsbench.suite.planner import Plan

REGISTRIES = {
    "mixers": registry.MIXERS,
    "datasets": registry.DATASETS,
    "jobs": registry.JOBS,
    "metrics": registry.METRICS,
    "probes": registry.PROBES,
    "reports": registry.REPORTS,
}


def named_things(what: str) -> Iterator[tuple[str, str]]:
    """Yield name and one-line title of everything of one kind."""
    if what == "models":
        yield from ((name, "") for name in model_names())
    elif what == "suites":
        for name, path in shipped_suites().items():
            yield name, str(read_yaml(path).get("description", "")).strip()
    else:
        plugins = REGISTRIES[what]
        yield from ((name, plugins.title(name)) for name in plugins.names())


def plan_rows(plan: Plan) -> Iterator[dict[str, Any]]:
    """Yield each chosen job of a plan as a flat mapping."""
    for job in plan.graph.jobs:
        state = plan.state(job)
        if state is not None:
            macs = plan.cost(job)
            yield {"job": job.label, "kind": job.kind, "state": state, "id": job.id, "estimated_macs": macs}


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield a plan for people: one line per job, then what is missing and the sums."""
    suite = plan.graph.suite
    yield f"{suite.name} ({suite.preset}): {len(suite.variants)} variants, seeds {list(suite.seeds)}"
    if suite.description:
        yield f"  {suite.description.strip()}"
    for row in plan_rows(plan):
        macs = row["estimated_macs"]
        cost = "?" if macs is None else _macs(macs)
        yield f"  {row['state']:8s} {row['job']:44s} {row['id'] or 'pending':26s} {cost}"
    for message in plan.graph.missing_data:
        yield from (f"  data: {line}" for line in message.splitlines())
    counts = plan.counts()
    left = (
        ", ".join(f"{counts[kind]} {kind} (about {_macs(plan.macs(kind))})" for kind in counts) or "nothing"
    )
    yield f"  left: {left}; done: {len(plan.done)}"
    if any(plan.cost(job) is None for job in (*plan.todo, *plan.pending)):
        yield "  ?: not in the catalog of costs, or cut short by --limit"


def _macs(value: float) -> str:
    """Return estimated MACs for people.

    >>> _macs(3.2e14)
    '320.0 TMACs'
    """
    for factor, unit in ((1e18, "EMACs"), (1e15, "PMACs"), (1e12, "TMACs")):
        if value >= factor:
            return f"{value / factor:.1f} {unit}"
    return f"{value / 1e9:.1f} GMACs"
