import pytest

from lsbench.core.errors import UsageError
from lsbench.tables.job_changes import KnownJob
from lsbench.tables.one_job import find_shown


def known(folder, name, label, is_current=True):
    return KnownJob(folder, name, label, is_current, "", None)


@pytest.fixture
def jobs(tiny, make_graph, fill_store):
    folder = fill_store(make_graph(tiny))
    return [
        known(folder, "train-aaaa1111", "a/train/seed0"),
        known(folder, "train-aaaa2222", "a/train/seed1"),
        known(folder, "evaluate-bbbb", "train/evaluate/seed0"),
        known(folder, "train-old", "a/train/seed0", is_current=False),
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("a/train/seed0", ["train-aaaa1111"]),
        ("train-old", ["train-old"]),
        ("a", ["train-aaaa1111", "train-aaaa2222"]),
        ("a/train", ["train-aaaa1111", "train-aaaa2222"]),
        ("train", ["evaluate-bbbb"]),  # a variant of this name goes before the start of an id
        ("aaaa1", ["train-aaaa1111"]),
        ("ev", ["evaluate-bbbb"]),
    ],
)
def test_a_name_is_a_label_an_id_a_variant_or_the_start_of_an_id(jobs, asked, found):
    assert [one.id for one in find_shown(asked, jobs)] == found


@pytest.mark.parametrize("asked", ["train-a", "aaaa", "train-"])
def test_the_start_of_several_ids_is_refused(jobs, asked):
    with pytest.raises(UsageError, match="give more digits of the id: train-aaaa1111 is a/train/seed0"):
        find_shown(asked, jobs)


@pytest.mark.parametrize("asked", ["b", "a/trian", "seed0", "aaa"])
def test_what_nothing_matches_is_refused(jobs, asked):
    with pytest.raises(UsageError, match=rf"^{asked}: no job or variant has this name"):
        find_shown(asked, jobs)
