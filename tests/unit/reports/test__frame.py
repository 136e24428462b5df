from lsbench.reports._frame import to_frame
from lsbench.tables.summary import summarize


def test_two_suites_share_one_frame_and_rows_say_which(tiny, make_graph, fill_store):
    found = [summarize(fill_store(make_graph({**tiny, "name": name}))) for name in ("tiny", "other")]
    frame = to_frame(found)
    assert list(frame.columns[:3]) == ["suite", "preset", "variant"]
    assert list(zip(frame.suite, frame.variant, strict=True)) == [
        ("tiny", "ls"),
        ("tiny", "id"),
        ("other", "ls"),
        ("other", "id"),
    ]


def test_nothing_is_an_empty_frame():
    assert to_frame([]).empty
