import io

import pandas as pd
import pytest

from lsbench.core.errors import NothingMeasuredError
from lsbench.reports._classes import classes_csv
from lsbench.tables.summary import summarize


def test_the_accuracies_multiply_to_the_accuracy_of_all_images(tiny, make_graph, fill_store, keep_answers):
    graph = make_graph({**tiny, "seeds": [0]})
    folder = fill_store(graph)
    keep_answers(folder, graph, images=200)
    summary = summarize(folder)
    frame = pd.read_csv(io.StringIO(classes_csv([summary])))
    cells = pd.read_csv(io.StringIO(classes_csv([summary], table="confusion")))
    for variant in ("ls", "id"):
        own, matrix = frame[frame.variant == variant], cells[cells.variant == variant]
        assert own.images.sum() == matrix.images.sum() == 200
        is_right = matrix.true_class == matrix.predicted_class
        assert (own.accuracy * own.images).sum() == pytest.approx(matrix[is_right].images.sum())
        assert set(matrix.true_class) == {f"c{number:04d}" for number in range(10)}


def test_no_answers_are_said(tiny, make_graph, fill_store):
    with pytest.raises(NothingMeasuredError, match="tiny: no evaluation has kept its answers"):
        classes_csv([summarize(fill_store(make_graph(tiny)))])
