from dataclasses import replace

import pytest

from lsbench.core.atomic import write_text
from lsbench.core.errors import UsageError
from lsbench.store.results import SPEC
from lsbench.tables.job_changes import changes, find_job, known_jobs, nearest_earlier, why_lines


@pytest.fixture
def fill(fill_store):
    """Fill a store as a run does, with the settings of every job in its folder."""

    def write(graph, **more):
        folder = fill_store(graph, **more)
        for job in graph.by_id().values():
            write_text(folder.job_folder(job.id) / SPEC, job.model_dump_json(indent=1))
        return folder

    return write


@pytest.fixture
def changed(tiny, make_graph, fill):
    """A suite that was run, then changed in the epochs of its training, and run again."""
    fill(make_graph(tiny))
    tiny["jobs"][0] = {"train": {"epochs": 3, "batch_size": 20}}
    return fill(make_graph(tiny))


def test_the_changed_input_is_named_with_its_old_and_new_value(changed):
    known = known_jobs(changed)
    found = find_job("ls/train/seed0", known)
    lines = list(why_lines(found, known))
    assert lines[0] == f"{found.id}: ls/train/seed0 of tiny (default): done"
    assert lines[2].split() == ["spec.epochs:", "1", "->", "3"]
    assert len(lines) == 3
    earlier, _ = nearest_earlier(found, known)
    assert "stale" in earlier.state()
    assert find_job(earlier.id, known) == earlier


def test_a_needed_job_is_followed_to_what_changed_in_it(changed):
    known = known_jobs(changed)
    lines = list(why_lines(find_job("ls/evaluate/seed1", known), known))
    assert "needs.train: train-" in lines[2]
    assert lines[3].strip() == "spec.epochs: 1 -> 3"


def test_a_job_that_has_not_changed_has_no_earlier_one(changed):
    known = known_jobs(changed)
    lines = list(why_lines(find_job("ls/profile", known), known))
    assert lines[1].strip() == "no earlier job has this label, so there is nothing to compare with"


def test_a_due_job_has_its_reason_and_no_word_of_other_jobs(tiny, make_graph, fill):
    folder = fill(make_graph(tiny))
    known = [replace(one, due="code of mixer acme changed") for one in known_jobs(folder)]
    [line] = why_lines(find_job("ls/profile", known), known)
    assert line.endswith("due: code of mixer acme changed; `lsbench run` measures it again")


def test_what_changes_no_result_is_no_change(tiny, make_graph):
    old = make_graph(tiny).jobs[0]
    new = old.model_copy(update={"data_root": "elsewhere", "resources": old.resources})
    assert changes(old, new) == []
    assert [c.name for c in changes(old, old.model_copy(update={"seed": 9}))] == ["seed"]


def test_states(tiny, make_graph, fill, fill_store, records_of):
    graph = make_graph(tiny)

    def records(job):
        return None if job.variant.name == "id" else records_of(job)

    folder = fill_store(graph, records, failed=("ls/train/seed0",))
    known = known_jobs(folder)
    assert find_job("ls/train/seed0", known).state() == "failed after 1 attempt: ValueError: too bad"
    missing = find_job("id/train/seed0", known)
    assert missing.state() == "waiting: it has not started"
    assert "known once it has started" in list(why_lines(missing, known))[1]


def test_rows_that_share_a_job_or_lack_data_are_found_too(tiny, make_graph, fill):
    tiny["variants"] += [
        {"name": "twin", "mixer": "ls_conv"},
        {"name": "big", "dataset": {"name": "imagenet"}},
    ]
    known = known_jobs(fill(make_graph(tiny)))
    assert find_job("twin/train/seed0", known).state() == "done"
    assert find_job("big/train/seed0", known).state().startswith("no data: ")
    assert next(why_lines(find_job("big/train/seed0", known), known)).startswith("no id yet: big/train/seed0")


def test_unknown_and_ambiguous_names_are_refused_in_one_line(changed):
    known = known_jobs(changed)
    with pytest.raises(UsageError, match=r"ls/trian/seed0: no job .*did you mean 'ls/train/seed0'"):
        find_job("ls/trian/seed0", known)
    with pytest.raises(UsageError, match=r"train: matches 8 jobs, give more digits .*: train-.*3 more"):
        find_job("train", known)
    one = find_job("ls/train/seed0", known)
    assert find_job(one.id[:-2], known) == one
    assert find_job(one.id.split("-")[1][:8], known) == one
