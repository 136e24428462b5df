"""Continue results whose ids cover only the paths of checkpoints, not the content, as earlier ids did."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from lsbench.core.file_content import changed_at
from lsbench.core.job import Job
from lsbench.scheduler.run import results_folder
from lsbench.store.results import ResultsFolder
from lsbench.store.trials import SEARCH, read_search
from lsbench.suite.graph import JobGraph, build_graph, named_checkpoints
from lsbench.suite.schema import Suite
from lsbench.suite.trials import search_id

#: Times of results are whole seconds.
CLOCK_S = 1.0


def graph_of_results(suite: Suite, results: Path, *, data_root: Path | None = None) -> JobGraph:
    """Return the graph of a suite as the results folder continues it.

    A result of before stands under its old id as long as no checkpoint that it used was modified after it
    began: then it was made with the content of now. Addresses do not tell, and stand.

    Args:
        suite: A resolved suite.
        results: The folder of all results.
        data_root: Folder of the large data sets.
    """
    graph = build_graph(suite, data_root=data_root)
    if not any(job.contents or job.id is None for job in graph.jobs):
        return graph  # no job names checkpoints: neither any that are there, nor any that are not
    before = build_graph(suite, data_root=data_root, ids_by_path=None)
    folder = results_folder(graph, results)
    kept = {name for name, job in before.by_id().items() if _stands(folder, job, suite)}
    return build_graph(suite, data_root=data_root, ids_by_path=kept) if kept else graph


def _stands(folder: ResultsFolder, job: Job, suite: Suite) -> bool:
    """Return whether a result, or the search of a job's settings, began with the checkpoints as they are."""
    result = folder.result(str(job.id))
    if result is not None:
        told = result["job"].get("started_at")
        began = datetime.fromisoformat(told).timestamp() if isinstance(told, str) else 0.0
    elif suite.search is not None and _is_searched(folder, job, suite):
        began = (folder.root / SEARCH).stat().st_mtime
    else:
        return False
    return all(changed_at(place) < began + CLOCK_S for place in named_checkpoints(job))


def _is_searched(folder: ResultsFolder, job: Job, suite: Suite) -> bool:
    found = (read_search(folder) or {}).get("ids", {}).get(job.variant.name)
    return suite.search is not None and bool(found) and found == search_id(suite.search, job)
