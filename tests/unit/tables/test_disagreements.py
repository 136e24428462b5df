import numpy as np
import pytest

from lsbench.store.answers import packed_answers
from lsbench.store.job_files import PREDICTIONS
from lsbench.tables.disagreements import MOST_IMAGES, find_disagreements
from lsbench.tables.frames.load import load_table

CLASSES = np.array(["cat", "dog", "owl"])


@pytest.fixture
def compare(tiny, make_graph, fill_store):
    """Return what the row `id` and the baseline `ls` disagree about, given the answers of each by seed."""

    def find(answers, targets, *, seeds=1, keep=True, sha256=("abc", "abc")):
        graph = make_graph({**tiny, "seeds": list(range(seeds))})
        folder = fill_store(graph)
        for job in graph.jobs:
            if job.kind != "evaluate":
                continue
            said, sure = (np.array(of) for of in answers[job.variant.name][job.seed])
            best = np.stack([said, (said + 1) % 3], axis=1)
            arrays = packed_answers(np.array(targets), said, best, sure)
            if not keep:
                arrays = {name: arrays[name] for name in ("targets", "predictions")}
            else:
                arrays |= {
                    "names": np.array([f"{CLASSES[t]}/{n}.png" for n, t in enumerate(targets)]),
                    "classes": CLASSES,
                }
            own = sha256[job.variant.name == "id"]
            np.savez(folder.job_folder(job.id) / PREDICTIONS, images_sha256=np.array(own), **arrays)
        return find_disagreements(folder, load_table([folder]), "ls", ["id"])

    return find


def test_what_only_one_gets_right_the_most_confident_first(compare):
    targets = [0, 0, 1, 1, 2, 2]
    base = ([0, 1, 0, 1, 2, 2], [0.9] * 6)
    row = ([0, 0, 1, 2, 0, 2], [0.5, 0.6, 0.7, 0.8, 0.9, 0.5])
    (found,) = compare({"ls": [base], "id": [row]}, targets)
    assert (found.variant, found.other, found.gained, found.lost, found.seeds) == ("id", "ls", 2, 2, 1)
    assert [(one.is_gain, one.index) for one in found.images] == [
        (True, 2),
        (True, 1),
        (False, 4),
        (False, 3),
    ]
    lost = found.images[2]
    assert (lost.name, lost.target, lost.said, lost.other) == ("owl/4.png", "owl", "cat", "owl")
    assert lost.confidence == pytest.approx(0.9, abs=0.0003)
    assert lost.best == ("cat", "dog")


def test_what_holds_in_more_seeds_comes_first(compare):
    targets = [0, 0, 0]
    wrong, right = [1, 1, 1], [0, 0, 0]
    answers = {
        "ls": [(wrong, [0.5] * 3), (wrong, [0.5] * 3), ([1, 1, 0], [0.5] * 3)],
        "id": [(right, [0.6, 0.5, 0.99]), (right, [0.7, 0.5, 0.99]), ([0, 0, 1], [0.8, 0.5, 0.99])],
    }
    (found,) = compare(answers, targets, seeds=3)
    assert [(one.index, one.seeds) for one in found.images] == [(0, 3), (1, 3), (2, 1)]
    assert found.images[0].confidence == pytest.approx(0.7, abs=0.0003)
    assert (found.gained, found.lost) == (3, 0)


def test_at_most_so_many_are_chosen_and_one_kind_leaves_room_to_the_other(compare):
    number = 100
    targets = np.zeros(number, int)
    base = (np.where(np.arange(number) < 3, 0, 1), np.full(number, 0.5))
    row = (1 - base[0], np.linspace(0.1, 0.9, number))
    (found,) = compare({"ls": [base], "id": [row]}, targets)
    assert (found.gained, found.lost, len(found.images)) == (97, 3, MOST_IMAGES)
    assert [one.index for one in found.images if not one.is_gain] == [2, 1, 0]
    assert found.images[0].index == 99


def test_files_of_before_have_no_names_and_no_confidence(compare):
    answers = {"ls": [([1, 1], [0.5] * 2)], "id": [([0, 0], [0.5] * 2)]}
    (found,) = compare(answers, [0, 0], keep=False)
    assert [(one.name, one.is_named, one.confidence, one.target, one.best) for one in found.images] == [
        ("image 0", False, None, "class 0", ()),
        ("image 1", False, None, "class 0", ()),
    ]


def test_other_images_are_not_compared(compare):
    answers = {"ls": [([1, 1], [0.5] * 2)], "id": [([0, 0], [0.5] * 2)]}
    (found,) = compare(answers, [0, 0], sha256=("abc", "other"))
    assert (found.images, found.reason) == ([], "the two were tested on different images")


def test_a_row_on_several_data_sets_shares_the_images_among_them(
    tiny, make_graph, fill_store, tested, keep_answers
):
    graph = tested(make_graph(tiny))
    folder = fill_store(graph)
    keep_answers(folder, graph, images=400)
    found = find_disagreements(folder, load_table([folder]), "ls")
    assert [one.dataset for one in found] == ["fashion", "imagenet_a"]
    assert [len(one.images) for one in found] == [MOST_IMAGES // 2] * 2
    assert all(one.variant == "id" for one in found)


def test_without_the_baselines_answers_there_is_nothing(tiny, make_graph, fill_store, keep_answers):
    graph = make_graph(tiny)
    folder = fill_store(graph)
    keep_answers(folder, graph)
    assert find_disagreements(folder, load_table([folder]), "gone") == []
