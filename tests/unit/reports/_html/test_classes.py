import json

import numpy as np
import pytest

from lsbench.metrics.ece import METRIC
from lsbench.reports._html import classes as page
from lsbench.reports._html.classes import class_data
from lsbench.store.job_files import PREDICTIONS
from lsbench.tables.frames.classes import load_classes
from lsbench.tables.frames.load import load_table
from lsbench.tables.summary import summarize


@pytest.fixture
def graph(tiny, make_graph, tested):
    return tested(make_graph(tiny))


@pytest.fixture
def found(graph, fill_store, keep_answers):
    def read(**shape):
        folder = fill_store(graph)
        keep_answers(folder, graph, **shape)
        return class_data(summarize(folder), load_table([folder])), folder

    return read


def test_the_seeds_of_a_row_are_added_up(found):
    data, folder = found(images=200)
    own = next(way for way in data["ways"] if way["dataset"] == "fashion")
    assert own["classes"] == [f"c{number:04d}" for number in range(10)]
    assert [row["variant"] for row in own["rows"]] == ["ls", "id"]
    frame = load_classes([folder], ["id"])
    frame = frame[frame.dataset == "fashion"].groupby("class_index")[["images", "right"]].sum()
    assert own["rows"][1]["images"] == frame.images.tolist() == [40] * 10
    assert own["rows"][1]["right"] == frame.right.tolist()
    assert sum(count for _, _, count in own["rows"][1]["cells"]) == 400
    assert len(data["ways"]) == 3, "the test set of some classes has two protocols"


def test_the_diagram_is_that_of_the_calibration_error(found, graph):
    data, folder = found(images=200)
    row = data["ways"][0]["rows"][0]
    errors = []
    for job in graph.jobs:
        if job.label.startswith("ls/evaluate/"):
            with np.load(folder.job_folder(job.id) / PREDICTIONS) as file:
                is_right = file["targets"] == file["predictions"]
                errors.append(METRIC.aggregate(np.column_stack([file["confidence"], is_right])))
    assert row["ece"] == pytest.approx(np.mean(errors))
    counts, _, right = np.array(row["bins"]).T
    assert (counts.sum(), right.sum()) == (400, sum(row["right"]))
    assert not row["is_exact"]


def test_of_many_classes_only_the_most_confused_pairs_are_there(found):
    data, _ = found(images=3000, classes=200)
    cells = np.array(data["ways"][0]["rows"][0]["cells"])
    assert len(cells) == page.MOST_PAIRS
    assert (cells[:, 0] != cells[:, 1]).all()
    assert (np.diff(cells[:, 2]) <= 0).all()


def test_the_worst_is_said_in_words(found):
    data, _ = found(images=200)
    line = dict(zip(page.TITLES, data["table"][0], strict=True))
    assert line["variant"].startswith("ls on fashion (")
    assert line["images"] == "200"
    row = data["ways"][0]["rows"][0]
    worst = min(range(10), key=lambda n: row["right"][n])
    assert line["worst classes (%)"].startswith(f"c{worst:04d} {row['right'][worst] / 40 * 100:.1f}, ")
    mean = np.mean(np.array(row["right"]) / 40)
    assert line["class accuracy (%)"] == f"{mean * 100:.1f}"
    assert " for c" in line["most often taken for"]


def test_answers_of_before_have_no_diagram(graph, fill_store):
    folder = fill_store(graph)
    job = next(job for job in graph.jobs if job.label == "id/evaluate/seed0")
    given = {"targets": np.array([0, 1]), "predictions": np.array([0, 0]), "images_sha256": np.array("abc")}
    np.savez(folder.job_folder(job.id) / PREDICTIONS, **given)
    data = class_data(summarize(folder), load_table([folder]))
    (row,) = data["ways"][0]["rows"]
    assert (row["bins"], row["ece"], row["right"]) == (None, None, [1, 0])
    assert data["table"] == [
        ["id", "2", "50.0", "class 1 0.0, class 0 100.0", "class 1 for class 0 (1)", "-"]
    ]


def test_nan_as_confidence_is_in_no_bin(found, graph):
    _, folder = found()
    path = folder.job_folder(next(j for j in graph.jobs if j.label == "ls/evaluate/seed0").id) / PREDICTIONS
    with np.load(path) as file:
        arrays = dict(file)
    arrays["confidence"][:5] = np.nan
    np.savez(path, **arrays)
    data = class_data(summarize(folder), load_table([folder]))
    json.dumps(data, allow_nan=False)
    assert sum(count for count, _, _ in data["ways"][0]["rows"][0]["bins"]) == 35


def test_no_answers_and_damaged_ones(found, graph, fill_store):
    folder = fill_store(graph)
    assert class_data(summarize(folder), load_table([folder])) == {"ways": [], "table": [], "notes": []}
    data, folder = found()
    job = next(job for job in graph.jobs if job.kind == "evaluate")
    (folder.job_folder(job.id) / PREDICTIONS).write_bytes(b"PK\x03\x04 torn")
    data = class_data(summarize(folder), load_table([folder]))
    assert data["ways"] == []
    assert "damaged" in data["notes"][0]


def test_a_page_holds_so_many_classes_and_says_what_it_leaves_out(found, monkeypatch):
    monkeypatch.setattr(page, "MOST_CLASSES", 10)
    data, _ = found()
    assert [len(way["rows"]) for way in data["ways"]] == [1, 0, 0]
    assert data["notes"][0].startswith("The classes of 5 rows are left out")
