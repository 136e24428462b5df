from pathlib import Path

import pytest

from lsbench.core.errors import StoreError
from lsbench.gate.history import add_night, trends, with_night
from lsbench.gate.judge import Judgement, judge
from lsbench.gate.measurement import RowKey
from lsbench.tables.nights import read_nights


@pytest.fixture
def night(rules, make_images, make_pairs):
    def make(wrong=0):
        before, after = [make_images(), make_pairs()], [make_images(wrong=range(wrong)), make_pairs(seed=1)]
        findings = judge(before, after, [rules["top1"], rules["latency_ratio"]])
        return Judgement("nightly", "default", "abc", tuple(findings))

    return make


def test_nights_are_added_and_charted_oldest_first(night, tmp_path):
    path = tmp_path / "deep" / "history.parquet"
    assert read_nights(path).empty
    for wrong in (0, 50, 100):
        shown = with_night(read_nights(path), night(wrong))
        add_night(path, night(wrong))
    whole = read_nights(path)
    assert len(whole) == len(shown) == 6
    assert list(whole.value) == list(shown.value)
    assert list(whole.value[::2]) == pytest.approx([0.7, 0.695, 0.69])
    assert list(whole.verdict[::2]) == ["ok", "regressed", "regressed"]
    assert set(whole.commit) == {"abc"}
    charts = trends(whole, "nightly", "default")
    assert charts[RowKey("ls", "top1", "p|v1", "fashion")] == "█▅▁"
    assert len(charts[RowKey("ls", "latency_ratio", "p|v1", None)]) == 3
    assert trends(whole, "nightly", "other") == {}


def test_a_damaged_history_is_one_line_and_stays(night, tmp_path):
    path = tmp_path / "history.parquet"
    path.write_bytes(b"PAR1 half")
    with pytest.raises(StoreError, match="damaged history"):
        add_night(path, night())
    assert path.read_bytes() == b"PAR1 half"


def test_the_history_behind_a_link_grows_there(night, tmp_path):
    link = tmp_path / "history.parquet"
    link.symlink_to("kept/history.parquet")
    add_night(link, night())
    add_night(link, night())
    assert link.is_symlink()
    assert len(read_nights(tmp_path / "kept" / "history.parquet")) == 4


def test_a_device_is_no_history_and_stays(night):
    with pytest.raises(StoreError, match="/dev/null: expected the history in a Parquet file"):
        add_night(Path("/dev/null"), night())
    assert Path("/dev/null").is_char_device()
