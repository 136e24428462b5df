import pytest

from lsbench.scheduler.others_use import OthersUse

TOTAL = {"a": (8.0, 4.0), "b": (4.0, 0.0)}


def test_what_is_taken_and_not_ours_is_used_by_others():
    found = OthersUse().look(TOTAL, {"a": (2.0, 1.5), "b": (4.0, 0.0)}, {"a": (4.0, 1.0)})
    assert found == {"a": (2.0, 1.5), "b": (0.0, 0.0)}


def test_a_job_of_ours_that_has_just_ended_is_not_taken_for_one_of_others():
    use = OthersUse()
    assert use.look(TOTAL, {"a": (4.0, 4.0), "b": (4.0, 0.0)}, {"a": (4.0, 0.0)})["a"] == (0.0, 0.0)
    # It has ended, and the cluster does not know yet.
    assert use.look(TOTAL, {"a": (4.0, 4.0), "b": (4.0, 0.0)}, {})["a"] == (0.0, 0.0)
    # Still taken, so somebody else has it.
    assert use.look(TOTAL, {"a": (4.0, 4.0), "b": (4.0, 0.0)}, {})["a"] == (4.0, 0.0)
    # And what they give back is free at once.
    assert use.look(TOTAL, {"a": (8.0, 4.0), "b": (4.0, 0.0)}, {})["a"] == (0.0, 0.0)


def test_a_job_of_ours_that_has_not_begun_yet_counts_for_nobody():
    assert OthersUse().look(TOTAL, TOTAL, {"a": (4.0, 2.0)}) == {"a": (0.0, 0.0), "b": (0.0, 0.0)}


@pytest.mark.parametrize("free", [{}, {"c": (1.0, 0.0)}])
def test_nothing_is_known_of_a_node_whose_free_part_is_not(free):
    assert OthersUse().look(TOTAL, free, {}) == {"a": (0.0, 0.0), "b": (0.0, 0.0)}


def test_roundings_are_nobodys():
    assert OthersUse().look({"a": (8.0, 1.0)}, {"a": (8.0, 0.99999)}, {}) == {"a": (0.0, 0.0)}
