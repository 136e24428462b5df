import pandas as pd
import pytest

from lsbench.core.errors import StoreError
from lsbench.tables.nights import COLUMNS, night_curves, read_nights


def history(*rows):
    usual = {"suite": "nightly", "preset": "default", "protocol": "p", "verdict": "ok", "title": "A"}
    usual |= {"at": "2026-11-02T03:00:00+00:00", "commit": "0123abcdef"}
    return pd.DataFrame([{**usual, **row} for row in rows], columns=list(COLUMNS)).astype(COLUMNS)


def test_a_curve_is_the_last_nights_of_one_number():
    frame = history(
        *(
            {"variant": "a", "metric": "top1", "dataset": "fashion", "value": value}
            for value in (0.1, None, 0.3)
        ),
        {"variant": "a", "metric": "macs", "value": 3e8, "baseline": 2e8, "verdict": "regressed"},
        {"variant": "b", "metric": "top1", "dataset": "fashion", "value": 0.5},
        {"variant": "b", "metric": "top1", "value": 0.9, "preset": "other"},
    )
    first, second, third = night_curves(frame, "nightly", "default")
    assert (first.variant, first.metric, first.values) == ("a", "top1", [0.1, None, 0.3])
    assert (second.variant, second.metric) == ("b", "top1"), "one metric stands together"
    assert (third.dataset, third.baseline, third.verdicts) == (None, 2e8, ["regressed"])
    assert first.when == ["2026-11-02 0123abcd"] * 3
    assert night_curves(frame, "nightly", "default", nights=1)[0].values == [0.3]


def test_no_file_is_no_night_and_a_damaged_one_is_told(tmp_path):
    path = tmp_path / "history.parquet"
    assert read_nights(path).empty
    pd.DataFrame({"at": ["now"]}).to_parquet(path)
    with pytest.raises(StoreError, match="damaged history"):
        read_nights(path)
