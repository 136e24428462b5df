import numpy as np
import pytest

from lsbench.core.errors import UsageError
from lsbench.store.answers import packed_answers
from lsbench.store.job_files import PREDICTIONS
from lsbench.tables.answer_changes import find_agreements, other_origins, relative_timings
from lsbench.tables.side_by_side import Beside, find_source

TARGETS = np.zeros(6, np.int64)


@pytest.fixture
def side(tiny, make_graph, fill_store, tmp_path):
    """Return a side of a comparison: variant -> seed -> the classes that are given to six images."""

    def write(name, answers, sha256="abc"):
        graph = make_graph({**tiny, "seeds": [*range(max(map(len, answers.values())))]})
        folder = fill_store(graph, results=tmp_path / name)
        for job in graph.jobs:
            if job.kind == "evaluate":
                said = np.array(answers[job.variant.name][job.seed])
                arrays = packed_answers(TARGETS, said, said[:, None], np.ones(len(said)))
                np.savez(folder.job_folder(job.id) / PREDICTIONS, images_sha256=np.array(sha256), **arrays)
        return find_source(str(tmp_path / name), tmp_path)

    return write


ONE = {"ls": [[0, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0]], "id": [[0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]]}
TWO = {"ls": [[0, 0, 0, 0, 0, 2], [1, 1, 0, 0, 0, 0]], "id": [[2, 2, 0, 0, 0, 0], [2, 2, 2, 0, 0, 0]]}


def test_other_answers_are_counted_beside_the_spread_over_seeds(side):
    (found,) = find_agreements(side("one", ONE), side("two", TWO))
    assert (found.dataset, found.protocol) == ("fashion", "test|n=20|v1")
    ls, identity = found.rows
    assert (ls.images, ls.seeds, ls.changed, ls.between_seeds) == (6, 2, 0.5, (2, 2))
    assert (identity.changed, identity.between_seeds) == (2.5, (1, 1))
    assert [row.is_beyond_seeds for row in found.rows] == [False, True]


def test_one_seed_has_no_spread_and_nothing_is_beyond_it(side):
    (found,) = find_agreements(
        *(side(name, {k: v[:1] for k, v in of.items()}) for name, of in (("one", ONE), ("two", TWO)))
    )
    assert [(row.changed, row.between_seeds, row.is_beyond_seeds) for row in found.rows] == [
        (1, None, False),
        (2, None, False),
    ]


def test_other_images_are_not_counted(side):
    assert find_agreements(side("one", ONE), side("two", ONE, sha256="def")) == []


def test_other_cpus_and_versions_are_named_and_equal_ones_are_not(side):
    one, two = side("one", ONE), side("two", ONE)
    assert other_origins(one, two) == []
    two.table()["provenance"] = two.table().provenance.str.replace("a cpu", "another cpu")
    assert other_origins(one, two) == [("a cpu", "another cpu")]


def test_timings_in_relation_to_a_control_are_compared_as_ratios():
    rows = [
        Beside("ls", "latency_ratio", None, "p", 2.0, 1.0),
        Beside("id", "latency_ratio", None, "p", 1.0, 1.1),
        Beside("id", "latency_ms", None, "p", 1.0, 9.0),
        Beside("no", "latency_ratio", None, "p", 1.0, None),
    ]
    assert relative_timings(rows) == {"latency_ratio": [0.5, pytest.approx(1.1)]}


def test_an_unknown_side_is_refused(tmp_path):
    with pytest.raises(UsageError, match="reference:nowhere: no such reference results"):
        find_source("reference:nowhere", tmp_path)
