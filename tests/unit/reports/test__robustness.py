import json as standard

import pytest

from lsbench.reports import console, csv, json, markdown
from lsbench.reports._robustness import robustness_table
from lsbench.tables.summary import summarize

GOLDEN_MARKDOWN = """
#### tiny (default): robustness

| error (%) | snow | fog |
| --- | --- | --- |
| ls | 50.0 | 30.0 |
| id | 50.0 | withheld |

- Mean top-1 error over the severities and 2 seeds: fashion-c-live\\|c2\\|s2\\|res=32\\|ref=knn5\\|n=20\\|v1.
- id, seed 0: 1 of 4 cells of fashion-c-live are missing: fog/2. Means over the others are withheld.
- id, seed 1: 1 of 4 cells of fashion-c-live are missing: fog/2. Means over the others are withheld.
"""


@pytest.fixture
def summary(tiny, make_graph, fill_store, records_of, tested):
    """A summary in which one cell of one variant is missing, and with it what that cell is part of."""

    def records(job):
        found = records_of(job)
        if job.kind != "robustness" or job.variant.name == "ls":
            return found
        lost = ("corruption=fog", "corruption=fog/2", "v1")
        return [{**r, "value": None} if r["protocol"].endswith(lost) else r for r in found]

    return summarize(fill_store(tested(make_graph(tiny)), records))


def test_markdown_in_full(summary):
    text = markdown.render([summary])
    assert text[text.index("\n#### tiny (default): robustness") :] == GOLDEN_MARKDOWN


def test_the_console_shows_the_same_cells(summary):
    text = console.render([summary])
    for words in ("tiny (default): robustness", "fashion-c-live|c2|s2", "fog/2", "withheld", "30.0"):
        assert words in text


def test_json_holds_every_cell_as_data(summary):
    table = standard.loads(json.render([summary]))["tables"][0]
    cells = [figure for figure in table["corruptions"] if figure["severity"] is not None]
    assert len(cells) == 2 * 2 * 4
    assert {(figure["variant"], figure["seed"]) for figure in cells if figure["value"] is None} == {
        ("id", 0),
        ("id", 1),
    }
    assert len(table["robustness_notes"]) == 2


def test_csv_stays_the_table(summary):
    header, *rows = csv.render([summary]).splitlines()
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
