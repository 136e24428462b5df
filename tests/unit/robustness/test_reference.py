import json
from statistics import fmean

import pytest

from lsbench.core.errors import DataError
from lsbench.corruptions import BENCHMARK
from lsbench.robustness import reference as corruption_reference
from lsbench.robustness.reference import ALEXNET, Reference, read_reference, reference_of


def content(**changes):
    errors = {name: [0.1, 0.2, 0.3, 0.4, 0.5] for name in BENCHMARK}
    return {"name": "knn5", "clean_error": 0.15, "errors": errors, **changes}


def write(tmp_path, value):
    path = tmp_path / "reference.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_alexnets_table_is_the_published_one():
    assert tuple(ALEXNET.errors) == BENCHMARK
    # The mean that the published table has, and the paper's three digits of some rows.
    assert fmean(ALEXNET.errors.values()) == pytest.approx(0.788993, abs=1e-6)
    assert [round(ALEXNET.errors[name], 3) for name in ("gaussian_noise", "fog")] == [0.886, 0.819]
    assert ALEXNET.clean_error == 0.4348


def test_a_file_gives_the_mean_over_severities(tmp_path):
    found = read_reference(write(tmp_path, content()))
    assert found.name == "knn5"
    assert found.clean_error == 0.15
    assert found.errors["fog"] == pytest.approx(0.3)


@pytest.mark.parametrize(
    "wrong",
    ["{", "[]", content(errors={}), content(errors={name: [0.1] for name in BENCHMARK}), {"name": "x"}],
    ids=["no json", "a list", "no errors", "one severity", "keys missing"],
)
def test_a_damaged_file_is_named_in_one_line(tmp_path, wrong):
    path = write(tmp_path, wrong)
    with pytest.raises(DataError) as caught:
        read_reference(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_reference_without_errors_divides_nothing():
    with pytest.raises(ValueError, match="'perfect': expected errors above 0 of fog"):
        Reference("perfect", {**ALEXNET.errors, "fog": 0.0}, 0.0)


def test_each_data_set_has_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(corruption_reference, "EMBEDDED", write(tmp_path, content(name="mine")))
    assert reference_of("imagenet") is ALEXNET
    assert reference_of("fashion").name == "mine"
    assert reference_of("image_folder") is None
    monkeypatch.setattr(corruption_reference, "EMBEDDED", tmp_path / "absent.json")
    assert reference_of("fashion") is None
