"""Facts at the top of a suite's report: completeness, seeds, dates and the best variant."""

from __future__ import annotations

import pandas as pd

from lsbench.rendering.cells import cell_text
from lsbench.tables.summary import Summary


def overview(summary: Summary, table: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return facts, each with name, value and remark.

    Args:
        summary: The summary.
        table: The suite's long table; if empty, facts on jobs are left out.
    """
    own = [row for row in summary.rows if not row.is_published_only]
    others = len(summary.rows) - len(own)
    facts = [("variants", str(len(own)), f"and {others} published only" if others else "")]
    jobs = table.drop_duplicates(["job_id", "variant", "job", "seed"])
    if len(jobs):
        counts = jobs.status.value_counts()
        done = int(counts.get("ok", 0))
        holes = ", ".join(f"{counts[state]} {state}" for state in sorted(counts.index) if state != "ok")
        facts.append(("jobs done", f"{done} of {len(jobs)}", holes))
        seeds = jobs.seed.dropna().unique()
        facts.append(("seeds", str(max(len(seeds), 1)), ", ".join(map(str, sorted(seeds)[:8]))))
        facts += _period(jobs)
    return facts + _best(summary)


def _period(jobs: pd.DataFrame) -> list[tuple[str, str, str]]:
    days = sorted({str(at)[:10] for at in jobs.started_at.dropna()})
    return [("measured", days[-1], f"since {days[0]}" if days[0] != days[-1] else "")] if days else []


def _best(summary: Summary) -> list[tuple[str, str, str]]:
    """Return the best row of the first column with ranks, as a fact."""
    for column in summary.columns:
        best = [row for row in summary.rows if row.cells[column.key].rank == 1]
        if best:
            names = ", ".join(row.title for row in best[:2]) + (" ..." if len(best) > 2 else "")
            value = cell_text(best[0].cells[column.key], column)
            return [(f"best {column.title}", value.partition(" ")[0], names)]
    return []
