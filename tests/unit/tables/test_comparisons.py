import numpy as np
import pytest

from lsbench.rendering.sentences import sentence
from lsbench.stats.seeds import detectable_effect
from lsbench.store.job_files import PREDICTIONS
from lsbench.store.resampled_numbers import Resampled, write_resampled
from lsbench.tables.comparisons import CACHE, Side, from_row, judged, measure, to_row
from lsbench.tables.summary import summarize

IMAGES = 400
#: Variant -> how many of 400 images are right, give or take a seed.
RIGHT = {"ls": 300, "id": 240, "close": 301}


@pytest.fixture
def graph(tiny, make_graph):
    tiny["variants"].append({"name": "close", "mixer": "involution", "label": "Close"})
    return make_graph({**tiny, "seeds": [0, 1, 2]})


def right_images(job):
    rng = np.random.default_rng([job.seed, *job.variant.name.encode()])
    right = np.arange(IMAGES) < RIGHT[job.variant.name]
    right[rng.integers(0, IMAGES, size=12)] ^= True
    return right


@pytest.fixture
def fill(graph, fill_store, records_of):
    """Fill a store, with single images or without."""

    def write(*, has_images=True, sha256="abc"):
        def records(job):
            found = records_of(job)
            if job.kind != "evaluate":
                return found
            return [{**r, "value": float(right_images(job).mean())} for r in found if r["metric"] == "top1"]

        folder = fill_store(graph, records)
        for job in graph.jobs if has_images else ():
            if job.kind == "evaluate":
                name = sha256 if job.variant.name == "id" else "abc"
                path = folder.job_folder(job.id) / PREDICTIONS
                np.savez(path, score_top1=right_images(job), images_sha256=np.array(name))
        return folder

    return write


def test_each_variant_is_compared_over_seeds_and_images(fill):
    summary = summarize(fill())
    worse, close = summary.comparisons
    assert [one.variant for one in summary.comparisons] == ["id", "close"]
    assert (worse.difference.seeds, worse.difference.images, worse.reason) == (3, IMAGES, "")
    assert worse.is_told_apart
    assert not worse.is_better
    assert not close.is_told_apart
    assert sentence(worse).startswith("ls is better than id by 1")
    assert "ls" in sentence(close)
    assert "Close and ls cannot be told apart: " in sentence(close)
    cell = next(row for row in summary.rows if row.variant == "id").cells["top1_delta"].estimate
    assert (cell.value, cell.low, cell.high) == (
        worse.difference.value,
        worse.difference.low,
        worse.difference.high,
    )
    mean = np.mean([cell.estimate.value for row in summary.rows[:1] for cell in [row.cells["top1"]]])
    assert mean + worse.difference.value == pytest.approx(summary.rows[1].cells["top1"].estimate.value)


def test_without_images_or_with_other_ones_seeds_alone_are_compared_and_it_is_said(fill):
    alone = summarize(fill(has_images=False)).comparisons
    assert {(one.difference.images, one.reason) for one in alone} == {(0, "no per-image results are kept")}


def test_other_images_are_said(fill):
    other, close = summarize(fill(sha256="other")).comparisons
    assert (other.difference.images, other.reason) == (0, "the two were tested on different images")
    assert close.difference.images == IMAGES


def test_what_was_found_is_kept_until_the_results_change(fill):
    folder = fill()
    first = summarize(folder).comparisons
    assert (folder.root / CACHE).is_file()
    for path in folder.root.glob(f"jobs/*/{PREDICTIONS}"):
        path.unlink()
    assert summarize(folder).comparisons == first, "read from the file"
    (folder.root / CACHE).unlink()
    assert summarize(folder).comparisons != first


def test_p_values_are_adjusted_and_effects_asked_for_at_the_level_that_is_left(fill):
    compared = summarize(fill()).comparisons
    p_values = sorted(one.difference.p_value for one in compared)
    assert sorted(one.p_adjusted for one in compared) == pytest.approx(
        [2 * p_values[0], max(2 * p_values[0], p_values[1])]
    )
    for one in compared:
        found = one.difference
        assert one.detectable == pytest.approx(
            detectable_effect(found.error, found.freedom, level=0.05 / len(compared))
        )


def test_sides_without_a_common_seed_are_no_comparison():
    assert measure(Side({0: 0.5}), Side({1: 0.5})) == (None, "no seed was run on both sides")
    found, reason = measure(Side({0: 0.5}), Side({0: 0.4}))
    assert (found.value, found.p_value) == (pytest.approx(0.1), None)
    assert reason == "no per-image results are kept"
    assert judged([]) == []


def test_a_row_gives_back_its_comparison(fill):
    for one in summarize(fill()).comparisons:
        assert from_row(to_row(one)) == one


def resampled(value, offset=0.0, sha256="ab"):
    spread = np.random.default_rng(1).normal(0, 0.01, 1000)
    return Resampled(value, value + spread + offset, 50, sha256)


def test_a_number_that_is_no_mean_over_images_is_compared_on_the_same_resampled_images():
    one, other = ({0: value} for value in (0.5, 0.4))
    found, reason = measure(
        Side(one, resampled={0: resampled(0.5)}), Side(other, resampled={0: resampled(0.4)})
    )
    assert (found.value, found.seeds, found.images, reason) == (pytest.approx(0.1), 1, 50, "")
    assert found.high - found.low < 1e-6, "what both share is no uncertainty of their difference"
    assert found.p_value < 0.01
    other_images = Side(other, resampled={0: resampled(0.4, sha256="cd")})
    found, reason = measure(Side(one, resampled={0: resampled(0.5)}), other_images)
    assert (found.p_value, found.images, reason) == (None, 0, "the two were tested on different images")


@pytest.mark.parametrize("seeds", [[0], [0, 1, 2]])
def test_average_precision_and_miou_are_paired_in_the_table(tiny, make_graph, fill_store, records_of, seeds):
    tiny["variants"].append({"name": "close", "mixer": "involution", "label": "Close"})
    graph = make_graph({**tiny, "seeds": seeds})
    values = {"ls": 0.5, "id": 0.4, "close": 0.5}

    def records(job):
        found = records_of(job)
        if job.kind != "evaluate":
            return found
        value = values[job.variant.name] + job.seed / 1000
        return [{**r, "metric": "miou", "value": value} for r in found if r["metric"] == "top1"]

    folder = fill_store(graph, records)
    for job in graph.jobs:
        if job.kind == "evaluate":
            value = values[job.variant.name] + job.seed / 1000
            write_resampled(
                folder.job_folder(job.id), "ab", 50, {"miou": value}, {"miou": resampled(value).values}
            )
    worse, close = summarize(folder).comparisons
    assert (worse.variant, worse.metric, worse.reason) == ("id", "miou", "")
    assert worse.difference.value == pytest.approx(-0.1)
    assert (worse.difference.seeds, worse.difference.images) == (len(seeds), 50)
    assert worse.is_told_apart
    assert not close.is_told_apart
