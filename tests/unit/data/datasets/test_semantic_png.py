import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from lsbench.core.errors import DataError
from lsbench.data.datasets.semantic_png import DATASET, SemanticPngSpec
from lsbench.data.preflight import check_data


@pytest.fixture
def root(tmp_path):
    for kind in ("images", "annotations"):
        (tmp_path / kind / "val").mkdir(parents=True)
    Image.new("RGB", (64, 48)).save(tmp_path / "images" / "val" / "a.jpg")
    Image.fromarray(np.ones((48, 64), np.uint8)).save(tmp_path / "annotations" / "val" / "a.png")
    return tmp_path


def test_ones_own_label_maps_are_read(root):
    spec = SemanticPngSpec(root=root, classes=("sky", "ground"))
    data = DATASET.prepare(spec, None)
    assert data.num_classes == DATASET.num_classes(spec) == 2
    assert data.split("test") == data.split("val")
    assert check_data(DATASET, spec, None).problems == ()
    assert DATASET.num_images(spec, "val") is None


def test_whatever_changes_results_changes_the_fingerprint(root):
    changes = [
        {},
        {"classes": ("sky", "sea")},
        {"reduce_zero_label": True},
        {"max_size": 9},
        {"mean": (0.1,) * 3},
    ]
    specs = [SemanticPngSpec(**{"root": root, "classes": ("a", "b"), **change}) for change in changes]
    assert len({DATASET.fingerprint(spec, None) for spec in specs}) == len(changes)


def test_labels_beyond_the_classes_are_one_line(root):
    (problem,) = check_data(DATASET, SemanticPngSpec(root=root, classes=("sky",)), None).problems
    assert "expected labels from 0 to 0, or 255" in problem
    assert "found 1 at row 0, column 0" in problem


def test_wrong_settings_are_told(root):
    with pytest.raises(ValidationError, match=r"expected <split> in the path"):
        SemanticPngSpec(root=root, classes=("a",), images="images")
    with pytest.raises(ValidationError, match="expected names that differ"):
        SemanticPngSpec(root=root, classes=("a", "a"))
    with pytest.raises(DataError, match="correct 'root:', 'images:' or 'label_maps:'"):
        DATASET.prepare(SemanticPngSpec(root=root / "nowhere", classes=("a",)), None)
