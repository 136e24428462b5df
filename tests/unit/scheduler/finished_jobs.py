"""The folders of jobs before and after they run."""

import json

from lsbench.store.early import EARLY


def prepare(job, root):
    folder = root / "jobs" / job.id
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(job.model_dump_json())
    return folder


def result(folder):
    return json.loads((folder / "result.json").read_text())


def early(folder):
    return json.loads((folder / EARLY).read_text())


def untimed(folder):
    """Return the records but for the one that is a timing."""
    return [r for r in result(folder)["records"] if r["metric"] != "data_wait_frac"]
