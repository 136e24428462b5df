import json as standard
from dataclasses import replace

import pytest

from lsbench.core.facets import Facets
from lsbench.core.record import measured
from lsbench.core.registry import REPORTS
from lsbench.reports import console, csv, json, markdown
from lsbench.reports._sections import (
    OF_NIGHTS,
    analyses_table,
    comparison_table,
    curve_text,
    nights_table,
    robustness_table,
    sections,
    training_table,
)
from lsbench.tables.curves import Curve
from lsbench.tables.nights import NightCurve
from lsbench.tables.summary import Summary, summarize

ROBUSTNESS_IN_MARKDOWN = """
#### tiny (default): robustness

| error (%) | snow | fog |
| --- | --- | --- |
| ls | 50.0 | 30.0 |
| id | 50.0 | withheld |

- Mean top-1 error over the severities and 2 seeds: fashion-c-live\\|c2\\|s2\\|res=32\\|ref=knn5\\|n=20\\|v1.
- id, seed 0: 1 of 4 conditions of fashion-c-live is missing: fog/2. Means over the rest are withheld.
- id, seed 1: 1 of 4 conditions of fashion-c-live is missing: fog/2. Means over the rest are withheld.
"""
FIGURES = {
    "ls": {"val_top1": [0.1, 0.5, 0.4], "train_loss": [3.0, 2.0, 1.0], "data_wait_frac": [0.3, 0.2, 0.1]},
    "id": {"val_top1": [0.2, None, 0.2], "train_loss": [2.5, 2.0, 1.75], "data_wait_frac": [0.0, 0.0, 0.0]},
}
TRAININGS_IN_MARKDOWN = """
#### tiny (default): training

| training | val top-1 (%) | train loss | waiting for data (%) |
| --- | --- | --- | --- |
| ls | ▁█▆ 10.00 (1) → 40.00 (3), best 50.00 (2) | █▅▁ 3.0000 (1) → 1.0000 (3), best 1.0000 (3) | 20.0 |
| id | ▄▄ 20.00 (1) → 20.00 (3), best 20.00 (1) | █▃▁ 2.5000 (1) → 1.7500 (3), best 1.7500 (3) | 0.0 |

- Each curve is the mean over 2 seeds, scaled from its minimum to its maximum; epochs in parentheses.
- ls: the device waited for data 20 % of the time, 30 % in epoch 1; <more>
- id, seed 1: the loss diverged; <from there on>
""".replace("<more>", r"raise data\_workers, which does not change results.").replace(
    "<from there on>",
    "training continued from the last good checkpoint, at 0.5 times the recipe's learning rate.",
)


def test_sections_are_those_that_have_something_to_show_in_order(
    tiny, make_graph, fill_store, records_of, with_epochs, tested
):
    graph = make_graph(tiny)
    assert list(sections(summarize(fill_store(make_graph({**tiny, "tags": ["smoke"]}))))) == []

    def trained(job):
        return with_epochs(job, {"train_loss": [2.0, 1.0]}) if job.kind == "train" else records_of(job)

    titles = [found[0] for found in sections(summarize(fill_store(tested(graph), trained)))]
    assert titles == [f"tiny (default): {name}" for name in ("comparisons", "robustness", "training")]


@pytest.fixture
def by_seed(records_of):
    top1 = {"ls": [0.70, 0.71, 0.705], "id": [0.60, 0.612, 0.604]}
    return lambda job: records_of(job, top1=top1[job.variant.name][job.seed or 0])


def test_each_comparison_is_a_line_in_words(tiny, make_graph, fill_store, by_seed):
    summary = summarize(fill_store(make_graph({**tiny, "seeds": [0, 1, 2]}), by_seed))
    header, rows, notes = comparison_table(summary)
    assert len(header) == len(rows[0]) == 3
    assert rows[0][0].startswith("ls is better than id by 9.97 points, 95 % interval ")
    assert rows[0][2] == "3 seeds"
    assert "Over seeds only, since no per-image results are kept: id." in notes
    for name in ("markdown", "console"):
        assert "is better than id by 9.97 points" in REPORTS.load(name)([summary])


def test_comparisons_of_several_columns_say_which(tiny, make_graph, fill_store, by_seed):
    """Such as one metric in several runtimes; a view may have left one of the columns out."""
    summary = summarize(fill_store(make_graph({**tiny, "seeds": [0, 1, 2]}), by_seed))
    [delta] = [column for column in summary.columns if column.is_delta]
    [one] = summary.comparisons
    other = replace(delta, protocol="other", remark=", onnxruntime, int8")
    found = replace(
        summary,
        columns=[*summary.columns, other],
        comparisons=[one, replace(one, protocol="other"), replace(one, protocol="left out")],
    )
    header, rows, _ = comparison_table(found)
    assert header[:2] == ["column", "comparison"]
    assert [row[0] for row in rows] == ["Δ top-1 (%)", "Δ top-1 (%), onnxruntime, int8", "left out"]
    assert len({tuple(row[1:]) for row in rows}) == 1


def test_smoke_tests_and_overrides_compare_nothing(tiny, make_graph, fill_store, by_seed):
    for graph in (make_graph({**tiny, "tags": ["smoke"]}), make_graph(tiny, limit=2)):
        assert comparison_table(summarize(fill_store(graph, by_seed))) is None


@pytest.fixture
def with_corruptions(tiny, make_graph, fill_store, records_of, tested):
    """A summary that lacks one condition of one variant, and what that condition is part of."""

    def records(job):
        found = records_of(job)
        if job.kind != "robustness" or job.variant.name == "ls":
            return found
        lost = ("corruption=fog", "corruption=fog/2", "v1")
        return [{**r, "value": None} if r["protocol"].endswith(lost) else r for r in found]

    return summarize(fill_store(tested(make_graph(tiny)), records))


def test_robustness_in_markdown_in_full(with_corruptions):
    text = markdown.render([with_corruptions])
    assert text[text.index("\n#### tiny (default): robustness") :] == ROBUSTNESS_IN_MARKDOWN


def test_the_console_shows_the_same_conditions_of_robustness(with_corruptions):
    text = console.render([with_corruptions])
    for words in ("tiny (default): robustness", "fashion-c-live|c2|s2", "fog/2", "withheld", "30.0"):
        assert words in text


def test_json_holds_every_condition_as_data(with_corruptions):
    table = standard.loads(json.render([with_corruptions]))["tables"][0]
    conditions = [figure for figure in table["corruptions"] if figure["severity"] is not None]
    assert len(conditions) == 2 * 2 * 4
    assert {(figure["variant"], figure["seed"]) for figure in conditions if figure["value"] is None} == {
        ("id", 0),
        ("id", 1),
    }
    assert len(table["robustness_notes"]) == 2


def test_csv_stays_the_table_with_robustness(with_corruptions):
    header, *rows = csv.render([with_corruptions]).splitlines()
    assert len(rows) == 2
    assert {"mce", "mce_hole", "imagenet_a_top1", "imagenet_a_top1_all_classes"} <= {*header.split(",")}
    assert "snow" not in header


def test_a_seed_that_lacks_a_corruption_is_said_and_one_without_it_has_a_dash(
    tiny, make_graph, fill_store, records_of, tested
):
    def records(job):
        found = records_of(job)
        if job.label == "id/robustness/seed0":
            found = [{**r, "value": None} if "fog" in r["protocol"] else r for r in found]
        if job.variant.name == "ls":
            found = [r for r in found if "snow" not in r["protocol"]]
        return found

    _, rows, _ = robustness_table(summarize(fill_store(tested(make_graph(tiny)), records)))
    assert rows == [["ls", "-", "30.0"], ["id", "50.0", "30.0 (1 of 2 seeds)"]]


def test_a_suite_without_corruptions_has_no_such_section(tiny, make_graph, fill_store):
    assert robustness_table(summarize(fill_store(make_graph(tiny)))) is None


DETECTED = Facets(method="maskrcnn", split="test", corruptions=2, severities=5, n=6, version="1")
PERFORMANCE_IN_MARKDOWN = """
#### tiny (default): performance under corruption

| under corruption (%) | snow | fog |
| --- | --- | --- |
| ls: Mask R-CNN mask AP | withheld | 30.0 |
| id: Mask R-CNN mask AP | withheld | 20.0 (1 of 2 seeds) |
| ls: mIoU | - | 50.0 |
| id: mIoU | - | 40.0 |

- Mean Mask R-CNN mask AP over the severities and 2 seeds: maskrcnn\\|c2\\|s5\\|n=6\\|v1.
- Mean mIoU over the severities and 2 seeds: semantic\\_fpn\\|c2\\|s5\\|n=6\\|v1.
"""


@pytest.fixture
def corrupted_scenes(tiny, make_graph, fill_store):
    """A summary of detectors and segmenters under corruption; no object is left in snow."""
    tiny["jobs"] = ["train", "evaluate"]

    def records(job):
        if job.kind != "evaluate":
            return []
        better, of_segmenter = (
            job.variant.name == "ls",
            DETECTED.model_copy(update={"method": "semantic_fpn"}),
        )
        fog = None if (job.variant.name, job.seed) == ("id", 1) else 0.2 + better / 10
        figures = [
            *(("maskrcnn_ap_mask", 0.4, DETECTED), ("maskrcnn_ap_mask", fog, DETECTED.of_corruption("fog"))),
            ("maskrcnn_ap_mask", None, DETECTED.of_corruption("snow")),
            ("maskrcnn_ap_mask", fog, DETECTED.of_corruption("fog", 1)),
            ("miou", 0.4 + better / 10, of_segmenter.of_corruption("fog")),
        ]
        found = [
            measured(name, value, facets=one, dataset="fashion_coco", n=6) for name, value, one in figures
        ]
        return [{"job_id": job.id, **one.model_dump(mode="json")} for one in found]

    return summarize(fill_store(make_graph(tiny), records))


def test_performance_under_corruption_in_markdown_in_full(corrupted_scenes):
    text = markdown.render([corrupted_scenes])
    start = text.index("\n#### tiny (default): performance under corruption")
    assert text[start : start + len(PERFORMANCE_IN_MARKDOWN)] == PERFORMANCE_IN_MARKDOWN
    assert "#### tiny (default): robustness" not in text


@pytest.mark.parametrize("name", ["console", "html", "latex"])
def test_every_format_shows_performance_under_corruption(name, corrupted_scenes):
    text = REPORTS.load(name)([corrupted_scenes])
    for words in ("Mask R-CNN mask AP", "withheld", "30.0", "1 of 2 seeds"):
        assert words in text.replace("~", " ")
    if name == "html":
        assert 'id="s0-performance-under-corruption">Performance under corruption</h3>' in text


@pytest.fixture
def analysed(tiny, make_graph, fill_store):
    def create(seeds, measures=True):
        tiny["seeds"] = seeds
        graph = make_graph({**tiny, "jobs": ["train", {"analyze": "aggregation"}]})

        def records(job):
            if job.kind != "analyze" or not measures:
                return []
            facets = Facets(method="aggregation", split="test", n=6, version="1.1")
            where = {"facets": facets, "dataset": "fashion", "n": 6}
            value = None if job.variant.name == "id" else 0.25
            found = measured("aggregation_overlap", value, ci_low=0.2, ci_high=0.3, **where)
            return [{"job_id": job.id, **found.model_dump(mode="json")}]

        return summarize(fill_store(graph, records))

    return create


def test_numbers_stand_with_their_intervals_protocol_and_holes(analysed):
    header, rows, notes = analyses_table(analysed([0]))
    assert header == ["analysis", "aggregation on the object (%)"]
    assert dict(rows) == {"ls": "25.0 [20.0, 30.0]", "id": "-"}
    assert "aggregation|test|n=6|v1.1" in notes[0]
    assert "the mean over the images" in notes[0]
    assert notes[1].startswith("id: no aggregation")


def test_several_seeds_are_averaged(analysed):
    _, rows, notes = analyses_table(analysed([0, 1]))
    assert dict(rows)["ls"].startswith("25.0")
    assert "the mean over 2 seeds" in notes[0]


def test_without_analyses_there_is_no_section(analysed):
    assert analyses_table(analysed([0], measures=False)) is None


@pytest.fixture
def trained(tiny, make_graph, fill_store, with_epochs, records_of):
    def make(**changes):
        def records(job):
            scale = 0.5 if job.label == "id/train/seed1" else None
            figures = FIGURES[job.variant.name]
            return with_epochs(job, figures, lr_scale=scale) if job.kind == "train" else records_of(job)

        return summarize(fill_store(make_graph({**tiny, **changes}), records))

    return make


def test_a_single_epoch_is_said_once():
    assert curve_text(Curve("v", "V", "p", 0, "lr", (4,), (0.002,))) == "▄ 0.002000 (4)"


def test_trainings_in_markdown_in_full(trained):
    text = markdown.render([trained()])
    assert text[text.index("\n#### tiny (default): training") :] == TRAININGS_IN_MARKDOWN


def test_the_console_shows_the_same_conditions_of_trainings(trained):
    text = console.render([trained()])
    assert "tiny (default): training" in text
    for words in (
        "▁█▆ 10.00 (1) → 40.00 (3), best 50.00 (2)",
        "20.0",
        "id, seed 1: the loss diverged",
        "mean over 2 seeds",
    ):
        assert words in text


def test_json_holds_every_seeds_curve_as_data(trained):
    table = standard.loads(json.render([trained()]))["tables"][0]
    assert len(table["curves"]) == 2 * 2 * 3
    assert {
        "variant": "id",
        "seed": 1,
        "protocol": "train|v1",
        "metric": "val_top1",
        "lr_scale": 0.5,
        "epochs": [1, 3],
        "values": [0.2, 0.2],
    } in table["curves"]
    assert len(table["training_notes"]) == 2


def test_csv_stays_the_table_with_trainings(trained, tiny, make_graph, fill_store):
    with_curves = csv.render([trained()])
    assert with_curves == csv.render([summarize(fill_store(make_graph({**tiny, "name": "tiny"})))])


def test_a_smoke_test_and_a_suite_without_epochs_stay_short(trained, tiny, make_graph, fill_store):
    assert training_table(trained(tags=["smoke"])) is None
    plain = summarize(fill_store(make_graph({**tiny, "name": "plain"})))
    assert training_table(plain) is None
    for render in (console.render, markdown.render):
        assert "training" not in render([plain])
        assert "training" not in render([trained(tags=["smoke"])])


def judged(*curves):
    return Summary("nightly", "default", "", "a", False, [], [], nights=list(curves))


def night(**more):
    usual = {"variant": "a", "title": "A", "metric": "top1", "protocol": "p", "dataset": "fashion"}
    seen = {"values": [0.7, 0.71, 0.6], "verdicts": ["ok", "ok", "regressed"], "baseline": 0.7}
    return NightCurve(**{**usual, **seen, **more})


def test_each_number_has_a_chart_and_its_last_verdict():
    header, rows, [note] = nights_table(judged(night(), night(values=[None], verdicts=["ok"], baseline=None)))
    assert header == OF_NIGHTS
    assert rows[0] == ["top-1 (%)", "A", "▇█▁", "60.00", "70.00", "regressed", "1 of 3"]
    assert rows[1][2:5] == [" ", "-", "-"]
    assert note.startswith("The last 3 nights")


def test_a_suite_that_was_never_judged_has_no_such_section():
    assert nights_table(judged()) is None
