import pytest

from lsbench.rendering.sparkline import sparkline
from lsbench.reports import console, csv, json, markdown
from lsbench.reports._training import curve_text, training_table
from lsbench.tables.curves import Curve
from lsbench.tables.summary import summarize

FIGURES = {
    "ls": {"val_top1": [0.1, 0.5, 0.4], "train_loss": [3.0, 2.0, 1.0], "data_wait_frac": [0.3, 0.2, 0.1]},
    "id": {"val_top1": [0.2, None, 0.2], "train_loss": [2.5, 2.0, 1.75], "data_wait_frac": [0.0, 0.0, 0.0]},
}
GOLDEN_MARKDOWN = """
#### tiny (default): training

| training | val top-1 (%) | train loss | waiting for data (%) |
| --- | --- | --- | --- |
| ls | ▁█▆ 10.00 (1) → 40.00 (3), best 50.00 (2) | █▅▁ 3.0000 (1) → 1.0000 (3), best 1.0000 (3) | 20.0 |
| id | ▄▄ 20.00 (1) → 20.00 (3), best 20.00 (1) | █▃▁ 2.5000 (1) → 1.7500 (3), best 1.7500 (3) | 0.0 |

- Each curve is the mean over 2 seeds, drawn from its least to its largest value; epochs in parentheses.
- ls: the device waited for data 20 % of the time, 30 % in epoch 1: <more>
- id, seed 1: the loss diverged; <from there on>
""".replace("<more>", r"give it more data\_workers, which change no result.").replace(
    "<from there on>",
    "from the last good checkpoint on it was trained at 0.5 of the recipe's learning rate.",
)


@pytest.fixture
def make_summary(tiny, make_graph, fill_store, with_epochs, records_of):
    def make(**changes):
        def records(job):
            scale = 0.5 if job.label == "id/train/seed1" else None
            figures = FIGURES[job.variant.name]
            return with_epochs(job, figures, lr_scale=scale) if job.kind == "train" else records_of(job)

        return summarize(fill_store(make_graph({**tiny, **changes}), records))

    return make


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], ""),
        ([0.5], "▄"),
        ([1, 0], "█▁"),
        ([0.0, 0.0, 0.0], "▄▄▄"),
        ([0] * 20 + [1] * 20, "▁" * 10 + "█" * 10),
    ],
)
def test_a_sparkline_has_the_shape_of_its_values(values, text):
    assert sparkline(values) == text


def test_a_single_epoch_is_said_once():
    assert curve_text(Curve("v", "V", "p", 0, "lr", (4,), (0.002,))) == "▄ 0.002000 (4)"


def test_markdown_in_full(make_summary):
    text = markdown.render([make_summary()])
    assert text[text.index("\n#### tiny (default): training") :] == GOLDEN_MARKDOWN


def test_the_console_shows_the_same_cells(make_summary):
    text = console.render([make_summary()])
    assert "tiny (default): training" in text
    for words in (
        "▁█▆ 10.00 (1) → 40.00 (3), best 50.00 (2)",
        "20.0",
        "id, seed 1: the loss diverged",
        "mean over 2 seeds",
    ):
        assert words in text


def test_json_holds_every_seeds_curve_as_data(make_summary):
    import json as standard

    table = standard.loads(json.render([make_summary()]))["tables"][0]
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


def test_csv_stays_the_table(make_summary, tiny, make_graph, fill_store):
    with_curves = csv.render([make_summary()])
    assert with_curves == csv.render([summarize(fill_store(make_graph({**tiny, "name": "tiny"})))])


def test_a_smoke_test_and_a_suite_without_epochs_stay_short(make_summary, tiny, make_graph, fill_store):
    assert training_table(make_summary(tags=["smoke"])) is None
    plain = summarize(fill_store(make_graph({**tiny, "name": "plain"})))
    assert training_table(plain) is None
    for render in (console.render, markdown.render):
        assert "training" not in render([plain])
        assert "training" not in render([make_summary(tags=["smoke"])])
