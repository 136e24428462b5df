from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from scipy import stats

from lsbench.core.errors import DataError
from lsbench.jobs.evaluate import JOB, EvaluateSpec, _interval


@pytest.mark.parametrize(("right", "n"), [(0, 20), (7, 20), (20, 20), (713, 1000)])
def test_the_interval_is_wilsons_written_by_hand(right, n):
    values = np.arange(n) < right
    low, high, method = _interval(values)
    z, p = stats.norm.ppf(0.975), right / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert (low, high) == pytest.approx((max(0.0, middle - half), min(1.0, middle + half)), abs=1e-12)
    assert "wilson" in method


def test_a_metric_that_is_no_share_has_no_interval():
    assert _interval(np.array([0.5, 0.25])) == (None, None, None)


def test_an_unknown_metric_is_refused_with_the_nearest():
    with pytest.raises(ValidationError, match=r"unknown metric 'topp1' \(did you mean 'top1'\?\)"):
        EvaluateSpec(metrics=["topp1"])
    with pytest.raises(ValidationError):
        EvaluateSpec(metrics=[])


def test_the_cost_is_one_pass_over_the_split():
    images = {"val": 10, "test": 30}.get
    assert JOB.cost(EvaluateSpec(split="val"), 2e6, images) == 2e7
    assert JOB.cost(EvaluateSpec(), 2e6, images) == 6e7
    assert JOB.needs == ("train",)


def test_an_unreadable_image_is_found_before_anything_is_computed(tmp_path, monkeypatch):
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "val" / "cat").mkdir(parents=True)
    Image.new("RGB", (40, 40)).save(tmp_path / "val" / "cat" / "0.png")
    whole = (tmp_path / "val" / "cat" / "0.png").read_bytes()
    (tmp_path / "val" / "cat" / "1.png").write_bytes(whole[: len(whole) // 2])
    variant = SimpleNamespace(dataset={"name": "image_folder", "root": str(tmp_path)})
    job = SimpleNamespace(variant=variant, data_root=None)
    with pytest.raises(DataError, match=r"expected a readable image at .*cat/1\.png, found: .*truncated"):
        JOB.run(SimpleNamespace(spec=EvaluateSpec(), job=job))
