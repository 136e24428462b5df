import pandas as pd
import pytest

import lsbench
from lsbench.core.facets import Facets
from lsbench.core.record import measured
from lsbench.tables.frames.categories import CATEGORY_COLUMNS, load_categories
from lsbench.tables.frames.load import load_table

OF_ALL = Facets(method="retinanet", split="test", n=6, version="1")


@pytest.fixture
def folder(tiny, make_graph, fill_store):
    """Results of detectors: of two classes, of which one has no object, and of all."""
    data = {"name": "fashion_coco", "train_images": 4, "test_images": 2}
    tiny["jobs"] = ["train", {"detect": {"dataset": data}}]

    def records(job):
        if job.kind != "detect":
            return []
        figures = [(0.4, OF_ALL), (0.5, OF_ALL.of_category("dog")), (None, OF_ALL.of_category("cat"))]
        found = [
            measured("retinanet_ap", value, facets=one, dataset="fashion_coco", n=6) for value, one in figures
        ]
        return [{"job_id": job.id, **one.model_dump(mode="json")} for one in found]

    return fill_store(make_graph({**tiny, "seeds": [0]}), records)


def test_one_row_per_number_of_a_class_with_the_documented_columns_and_types(folder):
    frame = load_categories([folder])
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == CATEGORY_COLUMNS
    assert list(zip(frame.variant, frame.category, strict=True)) == [
        *(("ls", "dog"), ("ls", "cat")),
        *(("id", "dog"), ("id", "cat")),
    ]
    first, second = frame.iloc[0], frame.iloc[1]
    assert (first.metric, first.value, first.n, first.method) == ("retinanet_ap", 0.5, 6, "retinanet")
    assert first.protocol == "retinanet|test|n=6|v1"
    assert second.value is pd.NA


def test_the_long_table_holds_no_number_of_a_class_and_a_notebook_has_both(folder):
    assert load_table([folder]).value.dropna().tolist() == [0.4, 0.4]
    found = lsbench.load_table(folder.root, form="categories")
    pd.testing.assert_frame_equal(found, load_categories([folder]))
