import pytest

from lsbench.core.atomic import append_line
from lsbench.core.errors import StoreError
from lsbench.store.lines import WRONG, line_blocks, read_lines, remove_wrong_lines

LINES = [{"number": number, "text": "ü|\n" * number} for number in range(30)]


@pytest.fixture
def journal(tmp_path):
    append_line(tmp_path / "journal.jsonl", LINES)
    return tmp_path / "journal.jsonl"


@pytest.mark.parametrize("block", [1, 7, 100, 10_000])
def test_blocks_of_any_size_hold_the_same_lines_and_their_bytes(journal, block):
    blocks = list(line_blocks(journal, warn=pytest.fail, block=block))
    assert [value for lines in blocks for value in lines.values] == LINES
    assert b"".join(lines.content for lines in blocks) == journal.read_bytes()
    assert blocks[-1].end == journal.stat().st_size


def test_reading_goes_on_where_it_ended(journal):
    end = journal.stat().st_size
    append_line(journal, [{"number": "new"}])
    (lines,) = line_blocks(journal, warn=pytest.fail, start=end)
    assert (lines.values, lines.start) == ([{"number": "new"}], end)
    assert lines.place(0) == f"{journal}:31"
    assert list(line_blocks(journal, warn=pytest.fail, start=lines.end)) == []


@pytest.mark.parametrize("block", [50, 10_000])
@pytest.mark.parametrize("bad", [b'{"a": 1', b"null", b"[1]", b'{"a": 1},{"b": 2}', b"\x00\xff"])
def test_a_damaged_line_is_an_error_within_and_dropped_at_the_end(journal, bad, block):
    content = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*content[:5], bad + b"\n", *content[5:]]))
    with pytest.raises(StoreError, match=r"journal\.jsonl:6: damaged line \(.*restore it from a copy"):
        list(line_blocks(journal, warn=pytest.fail, block=block))
    journal.write_bytes(b"".join([*content, bad + b"\n"]))
    warnings = []
    blocks = list(line_blocks(journal, warn=warnings.append, block=block))
    assert [value for lines in blocks for value in lines.values] == LINES
    assert warnings == [f"{journal}:31: torn last line dropped"]
    assert blocks[-1].end == len(b"".join(content))


def test_two_halves_of_lines_are_no_line(journal):
    """Put together with a comma, the two would be whole again."""
    journal.write_bytes(b'{"a": 1\n"b": 2}\n{"c": 3}\n')
    with pytest.raises(StoreError, match=r":1: damaged line"):
        read_lines(journal, warn=pytest.fail)


@pytest.mark.parametrize("block", [1, 50, 10_000])
def test_lines_with_wrong_checksums_are_told_and_left_out(journal, block):
    content = journal.read_bytes().splitlines(keepends=True)
    for number in (0, 7, 29):
        content[number] = content[number].replace(b"text", b"tuxt")
    journal.write_bytes(b"".join(content))
    heard = []
    blocks = list(line_blocks(journal, warn=heard.append, block=block))
    values = [value for lines in blocks for value in lines.values]
    assert values == [value for number, value in enumerate(LINES) if number not in (0, 7, 29)]
    assert heard == [f"{journal}:{number}: {WRONG}" for number in (1, 8, 30)]
    places = [lines.place(index) for lines in blocks for index in range(len(lines.values))]
    assert places == [f"{journal}:{value['number'] + 1}" for value in values]


def test_a_number_that_is_none_is_damage(tmp_path):
    (tmp_path / "journal.jsonl").write_text('{"a": NaN}\n{"a": 1}\n')
    with pytest.raises(StoreError, match=r":1: damaged line \(NaN, which is no number\)"):
        read_lines(tmp_path / "journal.jsonl", warn=pytest.fail)


def test_wrong_lines_are_removed_and_the_others_stay_as_they_are(journal):
    content = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([content[0], content[1].replace(b"1", b"2", 1), *content[2:]]))
    remove_wrong_lines(journal)
    assert journal.read_bytes() == b"".join([content[0], *content[2:]])
    remove_wrong_lines(journal.with_name("absent"))


def test_what_cannot_be_read_says_so_and_what_is_not_there_is_empty(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match=r"folder: cannot be read \(Is a directory\)"):
        read_lines(tmp_path / "folder", warn=pytest.fail)
    assert read_lines(tmp_path / "absent", warn=pytest.fail) == []
