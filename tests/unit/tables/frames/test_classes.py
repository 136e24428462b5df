import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, precision_score, recall_score

import lsbench
from lsbench.store.answers import Answers
from lsbench.store.job_files import PREDICTIONS
from lsbench.tables.frames.classes import (
    CLASS_COLUMNS,
    CONFUSION_COLUMNS,
    class_counts,
    confusions,
    load_classes,
    load_confusions,
    most_confused,
)


def answers(targets, predictions, classes=None):
    return Answers(np.array(targets), np.array(predictions), None, None, False, classes, "abc")


def test_counts_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    targets, predictions = rng.integers(0, 7, (2, 300))
    pairs = confusions([answers(targets[:100], predictions[:100]), answers(targets[100:], predictions[100:])])
    matrix = np.zeros((7, 7), int)
    matrix[pairs[0], pairs[1]] = pairs[2]
    assert np.array_equal(matrix, confusion_matrix(targets, predictions))
    images, right, predicted = class_counts(pairs, 7)
    assert (right / images) == pytest.approx(recall_score(targets, predictions, average=None))
    assert (right / predicted) == pytest.approx(precision_score(targets, predictions, average=None))
    true, said, counts = most_confused(pairs)
    assert (true != said).all()
    assert counts.sum() + right.sum() == 300
    assert counts.tolist() == sorted(counts.tolist(), reverse=True)
    assert [len(part) for part in confusions([])] == [0, 0, 0]


@pytest.fixture
def folder(tiny, make_graph, fill_store, tested, keep_answers):
    graph = tested(make_graph(tiny))
    found = fill_store(graph, failed=("id/evaluate/seed1",))
    keep_answers(found, graph)
    return found


def test_each_class_of_each_evaluation_has_a_row(folder):
    frame = lsbench.load_table(folder.root, form="classes")
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == CLASS_COLUMNS
    own = frame[frame.dataset == "fashion"]
    assert list(own.groupby(["variant", "seed"], sort=False).size().index) == [
        ("ls", 0),
        ("ls", 1),
        ("id", 0),
    ]
    first = own[(own.variant == "ls") & (own.seed == 0)]
    path = folder.job_folder(first.job_id.iloc[0]) / PREDICTIONS
    with np.load(path) as file:
        targets, predictions, classes = file["targets"], file["predictions"], file["classes"]
    assert first.images.sum() == len(targets)
    for row in first.itertuples():
        is_class = targets == row.class_index
        assert row.class_name == classes[row.class_index]
        assert row.right == (predictions[is_class] == row.class_index).sum()
        assert row.accuracy == row.right / row.images
        wrong = predictions[is_class & (predictions != targets)]
        assert (row.confused_images > 0) == (len(wrong) > 0)
        if len(wrong):
            assert (wrong == classes.tolist().index(row.confused_with)).sum() == row.confused_images
        else:
            assert pd.isna(row.confused_with)


def test_a_class_without_images_has_no_accuracy_but_may_be_predicted(tiny, make_graph, fill_store):
    graph = make_graph({**tiny, "seeds": [0]})
    found = fill_store(graph)
    job = next(job for job in graph.jobs if job.label == "ls/evaluate/seed0")
    given = {"targets": np.array([0, 0]), "predictions": np.array([0, 2]), "images_sha256": np.array("abc")}
    np.savez(found.job_folder(job.id) / PREDICTIONS, **given)
    frame = load_classes([found])
    assert frame.class_name.tolist() == ["class 0", "class 2"], "as files of before have no names"
    assert frame.accuracy.tolist() == [0.5, pd.NA]
    assert frame.precision.tolist() == [1.0, 0.0]
    assert frame.confused_with.tolist() == ["class 2", pd.NA]


def test_both_protocols_of_a_part_of_the_classes_are_there(folder):
    frame = lsbench.load_table(folder.root, form="classes")
    part = frame[(frame.dataset == "imagenet_a") & (frame.variant == "ls") & (frame.seed == 0)]
    assert part.protocol.nunique() == 2
    assert (
        part.groupby("protocol", sort=False).predicted.apply(lambda n: (n > 0).sum()).is_monotonic_increasing
    )


def test_the_confusions_are_the_whole_matrix(folder):
    frame = load_confusions([folder], ["id"])
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == CONFUSION_COLUMNS
    assert set(frame.variant) == {"id"}
    own = frame[(frame.dataset == "fashion")]
    classes = load_classes([folder], ["id"])
    right = classes[classes.dataset == "fashion"].right.sum()
    assert own[own.true_class == own.predicted_class].images.sum() == right
    assert own.images.sum() == 20


def test_a_folder_without_answers_has_an_empty_frame(tiny, make_graph, fill_store):
    folder = fill_store(make_graph(tiny))
    assert {name: str(kind) for name, kind in load_classes([folder]).dtypes.items()} == CLASS_COLUMNS
    assert len(load_confusions([folder])) == 0
