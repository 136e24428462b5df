import base64
import json

import numpy as np
import pytest

from lsbench.core.errors import ExitCode, InconclusiveError, UsageError
from lsbench.core.ids import content_hash
from lsbench.gate.baseline import create_baseline, default_path, read_baseline, write_baseline


@pytest.fixture
def baseline(rules, make_images, make_pairs):
    return create_baseline("nightly", "default", "0.1", tuple(rules.values()), [make_images(), make_pairs()])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "baselines" / "nightly.json"


def test_a_baseline_comes_back_with_all_its_images_and_samples(baseline, path):
    write_baseline(baseline, path)
    assert read_baseline(path) == baseline
    images = read_baseline(path).rows[0].measurements[0].images
    assert images.right().sum() == 7000
    assert path.stat().st_size < 12_000


def test_without_a_baseline_nothing_can_be_said(path):
    with pytest.raises(InconclusiveError, match="there is no baseline; write one with") as caught:
        read_baseline(path)
    assert caught.value.exit_code == ExitCode.INCONCLUSIVE


@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_a_half_written_baseline_is_refused(share, baseline, path):
    write_baseline(baseline, path)
    text = path.read_text()
    path.write_text(text[: int(share * len(text))])
    with pytest.raises(UsageError, match="found a damaged or half-written file; restore it"):
        read_baseline(path)


def test_a_baseline_that_was_changed_by_hand_is_refused(baseline, path):
    write_baseline(baseline, path)
    content = json.loads(path.read_text())
    content["rows"][0]["measurements"][0]["value"] = 0.1
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match="the seal does not match"):
        read_baseline(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"schema_version": 2}, "expected schema version 1, found 2"),
        (
            {"schema_version": "\x1b[31m\n" + 90 * "x"},
            r"expected schema version 1, found \\x1b\[31m\\nx+\.\.\.; ",
        ),
        ({"a": 1}, "found other JSON"),
        ([1], "found other JSON"),
    ],
)
def test_other_versions_and_other_json_are_refused(content, reason, path):
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=reason) as caught:
        read_baseline(path)
    assert caught.value.exit_code == ExitCode.USAGE
    assert "\n" not in str(caught.value)


def sealed(content, path):
    """Write a baseline whose content was changed, with the seal that fits it."""
    content.pop("seal", None)
    try:
        seal = content_hash(content, length=64)
    except ValueError:
        seal = "none"
    path.write_text(json.dumps({"seal": seal, **content}))


def twice(content):
    content["rows"].append(content["rows"][0])


def seed_twice(content):
    content["rows"][0]["measurements"].append(content["rows"][0]["measurements"][0])


def number(value):
    def change(content):
        content["rows"][0]["measurements"][0]["value"] = value

    return change


def without_key(content):
    del content["rows"][0]["measurements"][0]["job_id"]


def cut_bits(content):
    content["rows"][0]["measurements"][0]["images"]["bits"] = "AAAA"


def no_base64(content):
    content["rows"][0]["measurements"][0]["images"]["bits"] = "?"


def bad_times(content):
    pairs = content["rows"][1]["measurements"][0]["pairs"]
    pairs["seconds"] = base64.b64encode(np.full(2 * pairs["count"], np.nan, "<f4").tobytes()).decode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (twice, r"rows\.2: the same row as .*rows\.0 \("),
        (seed_twice, r"rows\.0: .*: a seed occurs twice"),
        (number(float("nan")), "expected finite numbers, found NaN"),
        (number(float("inf")), "expected finite numbers, found Infinity"),
        (number(float("-inf")), "expected finite numbers, found -Infinity"),
        (number("0.5"), r"rows\.0\.measurements\.0\.value: input should be a valid number"),
        (number(True), r"rows\.0\.measurements\.0\.value: input should be a valid number"),
        (number([1]), r"rows\.0\.measurements\.0\.value: input should be a valid number"),
        (without_key, r"rows\.0\.measurements\.0\.job_id: this key is required"),
        (cut_bits, "expected the bits of"),
        (no_base64, r"rows\.0"),
        (bad_times, "expected times above 0 s"),
    ],
)
def test_a_baseline_with_a_seal_that_fits_is_checked_all_the_same(change, reason, baseline, path):
    write_baseline(baseline, path)
    content = json.loads(path.read_text())
    change(content)
    sealed(content, path)
    with pytest.raises(UsageError, match=reason) as caught:
        read_baseline(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert "restore it, or write a new one" in str(caught.value)


def test_a_number_that_is_read_as_infinity_is_refused(baseline, path):
    write_baseline(baseline, path)
    text = path.read_text()
    path.write_text(text.replace('"value": 0.', '"value": 1e999, "old": 0.', 1))
    with pytest.raises(UsageError, match="found an infinite one; restore it"):
        read_baseline(path)


def test_json_without_end_is_refused(path):
    path.parent.mkdir()
    path.write_text("[" * 100_000)
    with pytest.raises(UsageError, match="damaged or half-written"):
        read_baseline(path)


def test_a_write_that_fails_leaves_the_old_baseline(baseline, path, monkeypatch):
    write_baseline(baseline, path)
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    with pytest.raises(UsageError, match="cannot be written"):
        write_baseline(baseline.model_copy(update={"lsbench": "9"}), path)
    assert read_baseline(path) == baseline
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_baseline_of_another_suite_is_neither_used_nor_overwritten(baseline, path):
    write_baseline(baseline, path)
    with pytest.raises(
        UsageError, match=r"expected the baseline of other \(default\), found that of nightly"
    ):
        read_baseline(path).check_suite(path, "other", "default")
    with pytest.raises(UsageError, match=r"expected the baseline of nightly \(big\)"):
        write_baseline(baseline.model_copy(update={"preset": "big"}), path)
    path.write_text("half")
    write_baseline(baseline, path)
    assert read_baseline(path) == baseline


def test_where_baselines_are_kept(tmp_path):
    assert default_path(tmp_path, "nightly", "big").name == "nightly-big.json"
