import pytest

from lsbench.reports.csv import render as render_csv
from lsbench.reports.markdown import render as render_markdown
from lsbench.tables.summary import summarize

PUBLISHED = {"top1": 0.45, "params": 1.5e6, "latency_ms": 4.0, "mce": 0.682}
ONLY = {"name": "PVT-Tiny", "published": {"top1": 0.751}, "reason": "not in timm"}


@pytest.fixture
def with_published(tiny):
    tiny["variants"][1]["published"] = PUBLISHED
    return {**tiny, "source": "A paper, Table 1", "published_only": [ONLY]}


@pytest.fixture
def summary(with_published, make_graph, fill_store):
    return summarize(fill_store(make_graph(with_published)))


def row(summary, title):
    return next(row for row in summary.rows if row.title == title)


def test_a_published_column_stands_right_of_ours_and_others_at_the_end(summary):
    assert [column.key for column in summary.columns] == [
        "top1",
        "top1_delta",
        "top1_published",
        "params",
        "params_published",
        "macs",
        "latency_ms",
        "latency_ms_published",
        "mce_published",
        "top5",
        "train_loss",
    ]


def test_the_gap_is_ours_minus_published_where_the_two_can_be_compared(summary):
    cells = row(summary, "id").cells
    assert cells["top1_published"].estimate.value == PUBLISHED["top1"]
    assert cells["top1_published"].gap == pytest.approx(0.5 - 0.45)
    assert cells["params_published"].gap == pytest.approx(2e6 - 1.5e6)
    assert cells["latency_ms_published"].gap is None, "another machine"
    assert cells["mce_published"].gap is None, "not measured"
    assert row(summary, "ls").cells["top1_published"].estimate is None


@pytest.mark.parametrize("options", [{"limit": 2}, {"preset": "other"}])
def test_a_preset_or_an_override_is_no_comparison(options, with_published, make_graph, fill_store):
    with_published["presets"] = {"other": {"seeds": [5]}}
    cell = row(summarize(fill_store(make_graph(with_published, **options))), "id").cells["top1_published"]
    assert (cell.estimate.value, cell.gap) == (PUBLISHED["top1"], None)


def test_a_preset_with_rows_of_its_own_is_compared(with_published, make_graph, fill_store):
    with_published["presets"] = {"own": {"variants": with_published["variants"]}}
    folder = fill_store(make_graph(with_published, preset="own"))
    assert folder.manifest()["published_preset"] == "own"
    assert row(summarize(folder), "id").cells["top1_published"].gap == pytest.approx(0.05)


def test_a_row_that_only_the_source_has_comes_last_with_holes(summary):
    last = summary.rows[-1]
    assert (last.title, last.is_published_only) == ("PVT-Tiny", True)
    assert {key for key, cell in last.cells.items() if cell.estimate} == {"top1_published"}
    assert not any(cell.hole for cell in last.cells.values())
    assert any("Published only, not run here (not in timm): PVT-Tiny." in note for note in summary.notes)
    assert any("not measured here (source: A paper, Table 1)." in note for note in summary.notes)


def test_reports_say_which_is_which(summary):
    text = render_markdown([summary])
    assert "| published top-1 (%) |" in text
    assert "| 45.0 (ours +5.00) |" in text
    assert "| PVT-Tiny (published only) | - | - | 75.1 |" in text
    header, *lines = render_csv([summary]).splitlines()
    names = header.split(",")
    values = dict(zip(names, lines[-1].split(","), strict=True))
    assert (values["is_published_only"], values["top1"], values["top1_published"]) == ("True", "", "0.751")
    assert "top1_published_gap" in names


def test_without_published_numbers_a_table_is_as_it_was(tiny, make_graph, fill_store):
    summary = summarize(fill_store(make_graph(tiny)))
    assert not any(column.is_published for column in summary.columns)
    assert not any("ublished" in note for note in summary.notes)
    assert "is_published_only" not in summary.to_frame().columns


def test_other_numbers_of_a_published_models_log_are_noted(with_published, make_graph, fill_store):
    with_published["variants"][1]["published_logs"] = {"top1": 0.4556, "params": 1.6e6}
    notes = summarize(fill_store(make_graph(with_published))).notes
    assert "The log of the published id has top-1 (%) 45.56, params (M) 1.6." in notes


def test_published_numbers_change_no_id(tiny, make_graph):
    plain = [job.id for job in make_graph(tiny).jobs]
    tiny["variants"][1]["published"] = PUBLISHED
    tiny["variants"][1]["published_logs"] = {"top1": 0.46}
    assert [job.id for job in make_graph({**tiny, "source": "x", "published_only": [ONLY]}).jobs] == plain


def test_a_results_folder_from_before_is_still_read(tiny, make_graph, fill_store):
    folder = fill_store(make_graph(tiny))
    old = {key: value for key, value in folder.manifest().items() if not key.startswith("published")}
    folder.write_manifest({key: value for key, value in old.items() if key != "source"}, "")
    assert [row.title for row in summarize(folder).rows] == ["ls", "id"]


LIVE = "fashion-c-live|c2|s2|res=32|ref=knn5|n=20|v1"
FILES = "imagenet-c-files|c15|s5|crop=224|ref=alexnet-HD19|n=50000|v1"


@pytest.fixture
def robust(tiny, make_graph, fill_store, records_of, tested):
    """Return the summary of a suite with published robustness, its corruptions and classes as given."""

    def summary(corrupted=FILES, masked="classes=200", **options):
        def records(job):
            swaps = {LIVE: corrupted, "classes=6": masked, "classes=10|": "classes=1000|"}
            found = records_of(job)
            for old, new in swaps.items():
                found = [{**record, "protocol": record["protocol"].replace(old, new)} for record in found]
            # As version 1 stored them: their protocol alone says how they were measured.
            return [{key: value for key, value in r.items() if key != "facets"} for r in found]

        tiny["variants"][1]["published"] = {"mce": 0.7, "imagenet_a_top1": 0.15}
        return summarize(fill_store(tested(make_graph(tiny, **options)), records))

    return summary


def test_published_robustness_stands_beside_ours_under_the_papers_protocol(robust):
    summary = robust()
    keys = [column.key for column in summary.columns]
    assert keys[keys.index("mce_published") - 2 :][:3] == ["mce", "mce_delta", "mce_published"]
    assert [key for key in keys if key.startswith("imagenet_a_top1")] == [
        "imagenet_a_top1",
        "imagenet_a_top1_delta",
        "imagenet_a_top1_published",
        "imagenet_a_top1_all_classes",
    ]
    cells = row(summary, "id").cells
    assert cells["mce_published"].gap == pytest.approx(0.8 - 0.7)
    assert cells["imagenet_a_top1_published"].gap == pytest.approx(0.2 - 0.15)
    titles = [column.title for column in summary.columns if column.is_published]
    assert titles == ["published mCE (reference = 100)", "published ImageNet-A top-1 (%)"]
    assert not any("not compared, since ours" in note for note in summary.notes)
    assert "| 70.0 (ours +10.00) |" in render_markdown([summary])


@pytest.mark.parametrize(
    "protocol",
    [LIVE, FILES.replace("files", "live"), FILES.replace("50000", "5000"), FILES.replace("c15", "c14")],
)
def test_ours_on_another_protocol_is_no_comparison_and_a_note_says_so(protocol, robust):
    summary = robust(protocol, masked="classes=7")
    cells = row(summary, "id").cells
    for key in ("mce_published", "imagenet_a_top1_published"):
        assert cells[key].estimate is not None
        assert cells[key].gap is None
    assert (
        "published mCE (reference = 100): not compared, since ours has another protocol than "
        "imagenet-c-files|c15|s5|ref=alexnet-HD19|n=50000."
    ) in summary.notes
    assert any(note.startswith("published ImageNet-A top-1 (%): not compared") for note in summary.notes)
