"""Format plans and lists of names as lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from lsbench.core import registry
from lsbench.core.catalog import counted_macs, model_names, outside_family_models, read_catalog
from lsbench.core.counted import counted
from lsbench.core.job import Variant
from lsbench.core.quantity import published_text, quantity
from lsbench.core.registry import FAMILIES, MODELS
from lsbench.corruptions import BENCHMARK, KINDS, NAMES, all_names
from lsbench.corruptions import title as corruption_title
from lsbench.engine.named_recipes import NAMED_RECIPES
from lsbench.suite.loader import shipped_suites
from lsbench.suite.overlay import read_suite
from lsbench.suite.planner import Plan
from lsbench.suite.schema import Suite
from lsbench.suite.trials import search_lines, search_rows

REGISTRIES = {
    "mixers": registry.MIXERS,
    "datasets": registry.DATASETS,
    "jobs": registry.JOBS,
    "metrics": registry.METRICS,
    "probes": registry.PROBES,
    "analyses": registry.ANALYSES,
    "runtimes": registry.RUNTIMES,
    "loggers": registry.LOGGERS,
    "reports": registry.REPORTS,
    "families": registry.FAMILIES,
}


def named_things(what: str) -> Iterator[tuple[str, str]]:
    """Yield name and one-line title of everything in one listing."""
    if what == "models":
        yield from ((name, _model_title(name)) for name in model_names())
    elif what == "corruptions":
        for name in all_names():
            yield name, _corruption_title(name)
    elif what == "recipes":
        for name, recipe in NAMED_RECIPES.items():
            yield name, _recipe_title(recipe)
    elif what == "suites":
        for name, path in shipped_suites().items():
            yield name, str(read_suite(path).get("description", "")).strip()
    else:
        plugins = REGISTRIES[what]
        for name in plugins.names():
            yield name, _outside_title(plugins.title(name), plugins.package_of(name))


def _model_title(name: str) -> str:
    """Return the origin of a model, and whether it takes a token mixer."""
    if name in MODELS.outside_names():
        return _outside_title(MODELS.title(name), MODELS.package_of(name))
    family = outside_family_models().get(name)
    if family is not None:
        return _outside_title("takes a token mixer", FAMILIES.package_of(family))
    return "takes a token mixer" if name in read_catalog()["pluggable"] else "timm"


def _corruption_title(name: str) -> str:
    if name in NAMES:
        return f"{'benchmark' if name in BENCHMARK else 'validation'}: {corruption_title(name)}"
    return _outside_title(corruption_title(name), KINDS.package_of(name))


def _outside_title(title: str, package: str | None) -> str:
    """Return a title with the plug-in's package appended, unless it is lsbench's own.

    >>> _outside_title("A metric.", "acme-plugin 0.1"), _outside_title("Top-1 accuracy.", None)
    ('A metric. [acme-plugin 0.1]', 'Top-1 accuracy.')
    """
    return title if package is None else f"{title} [{package}]".strip()


def _recipe_title(recipe: dict[str, Any]) -> str:
    """Return the settings that distinguish a recipe, as a title.

    >>> _recipe_title(NAMED_RECIPES["lsnet_100e"])
    'LSNet on ImageNet-1K: 100 epochs, batch 2048, lr 0.004, weight decay 0.025'
    """
    size = f"{counted(recipe['epochs'], 'epoch')}, batch {recipe['batch_size']}"
    return f"LSNet on ImageNet-1K: {size}, lr {recipe['lr']:g}, weight decay {recipe['weight_decay']:g}"


def plan_rows(plan: Plan) -> Iterator[dict[str, Any]]:
    """Yield each selected job of a plan as a flat mapping; for a search, the work per row."""
    if plan.graph.suite.search is not None:
        yield from search_rows(plan.graph)
        return
    for job in plan.graph.jobs:
        state = plan.state(job)
        if state is not None:
            macs = plan.cost(job)
            row = {"job": job.label, "kind": job.kind, "state": state, "id": job.id, "estimated_macs": macs}
            row |= {"due": plan.due[job.id]} if job.id is not None and job.id in plan.due else {}
            yield {**row, "published": job.variant.published}


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield a plan for display: one line per job, then missing data and totals."""
    suite = plan.graph.suite
    if suite.search is not None:
        yield from search_lines(plan.graph)
        yield from _due_lines(plan, "trial")
        return
    variants = counted(len(suite.variants), "variant")
    yield f"{suite.name} ({suite.preset}): {variants}, seeds {list(suite.seeds)}"
    if suite.description:
        yield f"  {suite.description.strip()}"
    yield from _published_lines(suite)
    yield from _job_lines(list(plan_rows(plan)))
    yield from _due_lines(plan, "job")
    for message in plan.graph.missing_data:
        yield from (f"  data: {line}" for line in message.splitlines())
    counts = plan.counts()
    left = (
        ", ".join(f"{counts[kind]} {kind} ({_total(*plan.macs(kind), counts[kind])})" for kind in counts)
        or "nothing"
    )
    again = sum(plan.state(job) == "to rerun" for job in plan.todo)
    remarks = [
        f"left: {left}",
        *([f"of these to rerun: {again}"] if again else []),
        f"done: {len(plan.done)}",
    ]
    yield f"  {'; '.join([*remarks, *([f'left out: {plan.left_out_text()}'] if plan.left_out else [])])}"
    if any(plan.cost(job) is None for job in (*plan.todo, *plan.pending)):
        yield "  ?: not in the catalog of costs, or cut short by --limit"


def _job_lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield one line per job, no wider than its labels and ids need."""
    costs = ["?" if row["estimated_macs"] is None else _macs(row["estimated_macs"]) for row in rows]
    cells = [(row["state"], row["job"], row["id"] or "pending") for row in rows]
    state, label, name = (
        (max(map(len, column)) for column in zip(*cells, strict=True)) if cells else (0, 0, 0)
    )
    for (is_at, job, job_id), cost in zip(cells, costs, strict=True):
        yield f"  {is_at:{state}}  {job:{label}}  {job_id:{name}}  {cost}"


def _due_lines(plan: Plan, what: str) -> Iterator[str]:
    """Yield one line for each reason why results do not stand any more."""
    for reason, count in Counter(plan.due.values()).items():
        yield f"  due: {counted(count, what)}, as {reason}"


def _published_lines(suite: Suite) -> Iterator[str]:
    """Yield the published numbers of each row, beside the FLOPs counted here."""
    rows = []
    for v in suite.variants:
        rows.append((v.title, _counted(v), v.published, _left_out(suite, v)))
        rows += [(f"{v.title}, its log", None, v.published_logs, "")] if v.published_logs else []
    rows += [(row.name, None, row.published, f"not run: {row.reason}") for row in suite.published_only]
    named = dict.fromkeys(metric for _, _, published, _ in rows for metric in published)
    metrics = [name for name in named if (q := quantity(name)).is_headline and not q.depends_on_machine]
    if not metrics:
        return
    yield f"  published in {suite.source or 'an unnamed source'}:"
    titles = [quantity(metric).title.split(",", 1)[0] for metric in metrics]
    cells = [["row", "FLOPs (G) here", *(f"published {title}" for title in titles), ""]]
    for title, macs, published, remark in rows:
        theirs = [published_text(quantity(m), published[m]) if m in published else "-" for m in metrics]
        cells.append([title, "-" if macs is None else f"{macs / 1e9:.4f}", *theirs, remark])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for name, *numbers, remark in cells:
        aligned = "  ".join(text.rjust(width) for text, width in zip(numbers, widths[1:-1], strict=True))
        yield f"  {name.ljust(widths[0])}  {aligned}  {remark}".rstrip()


def _left_out(suite: Suite, variant: Variant) -> str:
    jobs: dict[str, list[str]] = {}
    for entry in suite.jobs:
        if variant.name in entry.without:
            jobs.setdefault(entry.without[variant.name], []).append(entry.name)
    return "; ".join(f"left out of {', '.join(names)}: {reason}" for reason, names in jobs.items())


def _counted(variant: Variant) -> int | None:
    return counted_macs(variant.model_identity(), variant.dataset["img_size"])


def _total(macs: float, unknown: int, jobs: int) -> str:
    """Return the estimated MACs of jobs, of some of which they may be unknown.

    >>> _total(3.2e14, 0, 4), _total(3.2e14, 1, 4), _total(0.0, 4, 4)
    ('about 320.0 TMACs', 'at least 320.0 TMACs, 1 job unknown', 'cost unknown')
    """
    if unknown == jobs:
        return "cost unknown"
    if not unknown:
        return f"about {_macs(macs)}"
    return f"at least {_macs(macs)}, {unknown} job{'s' if unknown > 1 else ''} unknown"


def _macs(value: float) -> str:
    """Return estimated MACs for display.

    >>> _macs(3.2e14)
    '320.0 TMACs'
    """
    for factor, unit in ((1e18, "EMACs"), (1e15, "PMACs"), (1e12, "TMACs")):
        if value >= factor:
            return f"{value / factor:.1f} {unit}"
    return f"{value / 1e9:.1f} GMACs"
