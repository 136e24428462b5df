import pytest

from lsbench.core.facets import Facets, render_protocol
from lsbench.tables.frames.load import load_table
from lsbench.tables.own_ways import own_way_notes, with_own_ways
from lsbench.tables.summary import summarize

MACS = Facets(method="fvcore", fused=True, version="1")


@pytest.fixture
def table_of(tiny, make_graph, fill_store, records_of):
    """Return the long table of a suite whose profiles measured one metric with the facets of each variant."""

    def create(facets, **changes):
        def records(job):
            if job.kind != "profile":
                return None
            own = facets[job.variant.name]
            told = {"facets": own.model_dump(), "protocol": render_protocol(own), **changes}
            macs = next(record for record in records_of(job) if record["metric"] == "macs")
            return [{**macs, "metric": "macs_paper", **told}]

        folder = fill_store(make_graph(tiny), records)
        return folder, load_table([folder])

    return create


def protocols(table):
    found = with_own_ways(table).dropna(subset="metric")
    return dict(zip(found.variant, found.protocol, strict=True))


def sized(ls, other):
    return {"ls": MACS.model_copy(update={"res": ls}), "id": MACS.model_copy(update={"res": other})}


def test_rows_of_different_sizes_share_a_column_that_says_so(table_of):
    folder, table = table_of(sized(224, 256))
    assert protocols(table) == dict.fromkeys(("ls", "id"), "fvcore|fused|res=own|v1")
    summary = summarize(folder)
    [column] = [column for column in summary.columns if column.quantity.name == "macs_paper"]
    assert all(row.cells[column.key].estimate for row in summary.rows)
    titles = {row.variant: row.title for row in summary.rows}
    told = f"res=own: each row has its own image size. 224 px: {titles['ls']}; 256 px: {titles['id']}."
    assert told in summary.notes


def test_rows_of_one_size_keep_their_protocol_and_need_no_note(table_of):
    folder, table = table_of(sized(224, 224))
    assert with_own_ways(table) is table
    assert not any("own image size" in note for note in summarize(folder).notes)


def test_models_fused_in_different_ways_share_a_column_and_what_is_left_is_told(table_of):
    left = MACS.model_copy(update={"res": 224, "unfused_norms": 3})
    folder, table = table_of({"ls": sized(224, 224)["ls"], "id": left})
    assert protocols(table) == dict.fromkeys(("ls", "id"), "fvcore|fused|res=224|v1")
    notes = summarize(folder).notes
    assert any(note.startswith("Batch normalisations that are left unfused: ") for note in notes)


def test_other_facets_are_never_merged(table_of):
    plain = sized(224, 256)
    _, table = table_of({"ls": plain["ls"], "id": plain["id"].model_copy(update={"fused": False})})
    assert with_own_ways(table) is table


def test_a_protocol_that_says_more_than_its_facets_stays(table_of):
    _, table = table_of(sized(224, 256), protocol="mine|v1")
    assert with_own_ways(table) is table


def test_a_row_measured_at_two_sizes_is_no_row_of_its_own_size(tiny, table_of):
    _, table = table_of(sized(224, 256))
    twice = table.dropna(subset="metric").assign(variant="ls")
    assert with_own_ways(twice) is twice


def test_notes_name_only_what_differs():
    assert own_way_notes(load_table([]), {}) == []
