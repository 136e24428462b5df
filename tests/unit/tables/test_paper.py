import pytest

from lsbench.core.facets import Facets
from lsbench.core.quantity import quantity
from lsbench.core.record import measured
from lsbench.suite.loader import load_suite
from lsbench.tables.paper import NUMBERS, paper_summary, paper_table
from lsbench.tables.summary import summarize

#: Rows and published numbers of each table, counted by hand in the paper.
COUNTS = {
    1: (32, 128),
    2: (18, 210),
    3: (20, 40),
    4: (17, 85),
    5: (8, 16),
    6: (7, 14),
    7: (8, 16),
    8: (7, 14),
    9: (4, 8),
}


@pytest.mark.parametrize("number", NUMBERS)
def test_every_row_and_number_of_the_paper_is_there(number):
    table = paper_table(number)
    numbers = [value for row in table.rows.values() for value in row.values() if value is not None]
    assert (len(table.rows), len(numbers)) == COUNTS[number]


@pytest.mark.parametrize("number", NUMBERS)
def test_the_suite_of_a_table_has_the_same_rows_and_numbers(number):
    table, suite = paper_table(number), load_suite(f"paper/table{number}")
    assert suite.name == table.suite
    published = {variant.title: variant.published for variant in suite.variants}
    published |= {row.name: row.published for row in suite.published_only}
    assert [row.name for row in suite.published_only] == table.not_run
    assert published.keys() == table.rows.keys()
    for name, values in table.rows.items():
        known = {metric: value for metric, value in values.items() if value is not None}
        assert published[name] == pytest.approx(known)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_suite_of_a_table_has_the_same_rows_in_part_and_numbers_of_logs(number):
    table, suite = paper_table(number), load_suite(f"paper/table{number}")
    left_out = {name for job in suite.jobs for name in job.without}
    assert {row.title for row in suite.variants if row.name in left_out} == table.run_in_part.keys()
    logs = {row.title: pytest.approx(row.published_logs) for row in suite.variants if row.published_logs}
    assert table.logs == logs


def test_numbers_read_off_the_page():
    assert paper_table(1).rows["LSNet-T"] == {
        "params_fused": 11.4e6,
        "macs_paper": 0.3e9,
        "throughput": 14708,
        "top1": 0.749,
    }
    assert paper_table(4).rows["LSNet-B"]["mce"] == 0.593
    assert paper_table(2).rows["DFvT-T"]["retinanet_ap"] is None
    assert list(paper_table(5).rows)[:2] == ["w/o LS conv. (identity)", "LS conv."]


@pytest.mark.parametrize("number", NUMBERS)
def test_with_nothing_run_ours_are_holes_and_the_published_numbers_stand(number):
    table, found = paper_table(number), paper_summary(number, None)
    assert [row.title for row in found.rows] == list(table.rows)
    assert [column.key for column in found.columns] == [
        key for metric in table.metrics for key in (metric, f"{metric}_published")
    ]
    for row in found.rows:
        for column in found.columns:
            cell = row.cells[column.key]
            if column.is_published:
                value = table.rows[row.title][column.quantity.name]
                assert (cell.estimate and cell.estimate.value) == value
            else:
                is_run = column.key in table.run_in_part.get(row.title, table.metrics)
                hole = "waiting" if is_run and not row.is_published_only else ""
                assert (cell.estimate, cell.hole) == (None, hole)
    assert any(f"lsbench plan paper/table{number}" in note for note in found.notes)


def test_with_nothing_run_other_numbers_of_logs_are_noted():
    assert "The log of the published LSNet-B has mIoU (%) 43.09." in paper_summary(3, None).notes


def test_what_has_been_run_stands_beside_the_published_number(tiny, make_graph, fill_store, records_of):
    names = ["w/o LKP", "LSNet-T (K_L=7, K_S=3)"]
    tiny["variants"] = [
        {
            "name": f"v{i}",
            "label": name,
            "mixer": "identity",
            "published": {"top1": paper_table(7).rows[name]["top1"]},
        }
        for i, name in enumerate(names)
    ]
    graph = make_graph({**tiny, "name": "paper_table7"})
    ours = summarize(fill_store(graph, lambda job: records_of(job, top1=0.6 + (job.seed or 0) / 100)))
    found = paper_summary(7, ours)
    assert [row.title for row in found.rows] == list(paper_table(7).rows)
    assert [column.quantity.name for column in found.columns] == ["macs_paper", "macs_paper", "top1", "top1"]
    by_name = {row.title: row.cells for row in found.rows}
    assert by_name["w/o LKP"]["top1"].estimate.value == pytest.approx(0.605)
    assert by_name["w/o LKP"]["top1_published"].gap == pytest.approx(0.605 - 0.705)
    assert by_name["w/o SKA"]["top1"].hole == "waiting"
    assert by_name["w/o SKA"]["top1_published"].estimate.value == 0.701
    assert quantity("top1").title in [column.title for column in found.columns]


def test_a_row_that_is_left_out_of_a_job_waits_for_nothing(tiny, make_graph, fill_store):
    tiny["variants"][0] |= {"label": "LSNet-T", "published": {"retinanet_ap": 0.342}}
    tiny["variants"][1] |= {
        "label": "SHViT-S3",
        "published": {"retinanet_ap": 0.361},
        "without": {"detect": "no maps"},
    }
    tiny["jobs"] = ["profile", {"detect": {"dataset": "fashion_coco", "backbone_weights": "none"}}]
    graph = make_graph({**tiny, "name": "paper_table2"})
    ours = summarize(fill_store(graph, lambda job: None))
    cells = {row.title: row.cells for row in paper_summary(2, ours).rows}
    assert cells["LSNet-T"]["retinanet_ap"].hole == "waiting"
    assert cells["SHViT-S3"]["retinanet_ap"].hole == ""
    assert cells["SHViT-S3"]["retinanet_ap_published"].estimate.value == 0.361


def test_detectors_of_ours_stand_beside_the_published_numbers(tiny, make_graph, fill_store):
    tiny["variants"][0] |= {
        "label": "LSNet-T",
        "published": {"retinanet_ap": 0.342, "maskrcnn_ap_mask": 0.327},
    }
    weights = {"dataset": "fashion_coco", "backbone_weights": "none"}
    tiny["jobs"] = [
        {"detect": {"name": "retinanet", "detector": "retinanet", **weights}},
        {"detect": {"name": "maskrcnn", "detector": "maskrcnn", **weights}},
    ]
    names = {"retinanet": ["retinanet_ap"], "maskrcnn": ["maskrcnn_ap_box", "maskrcnn_ap_mask"]}

    def records(job):
        facets = Facets(method=job.name, split="test", res=800, n=5000, version="1")
        found = [measured(name, 0.35, dataset="coco", n=5000, facets=facets) for name in names[job.name]]
        return [{**record.model_dump(mode="json"), "job_id": job.id} for record in found]

    graph = make_graph({**tiny, "name": "paper_table2"})
    ours = summarize(fill_store(graph, records))
    cells = next(row.cells for row in paper_summary(2, ours).rows if row.title == "LSNet-T")
    for name, published in (("retinanet_ap", 0.342), ("maskrcnn_ap_mask", 0.327)):
        assert cells[name].estimate.value == pytest.approx(0.35)
        assert cells[f"{name}_published"].gap == pytest.approx(0.35 - published)
