import json
import os
import shutil

import pandas as pd
import pytest

from lsbench.core.atomic import append_line
from lsbench.core.checked_lines import check_lines, to_line
from lsbench.core.errors import StoreError
from lsbench.core.plain_warnings import LsbenchWarning
from lsbench.store.results import RECORDS, ResultsFolder
from lsbench.tables.frames import cache
from lsbench.tables.frames.cache import CACHE, SCHEMA, Records
from lsbench.tables.frames.ways import Part


def line(job="train-a", metric="top1", value=0.5, protocol="p|v1", **more):
    found = {"job_id": job, "metric": metric, "value": value, "unit": "fraction", "n": 20, "ci_low": None}
    found |= {"ci_high": None, "ci_method": None, "protocol": protocol, "dataset": "fashion", "setting": {}}
    return {**found, **more}


ALL = [
    line(value=None, n=None),
    line(protocol="p|v1|epoch=2", metric="train_loss", setting={"epoch": 2, "lr_scale": 0.5}),
    line(protocol="p|v1|corruption=fog/3", value=0.25),
    line("train-b", setting={"b": 1, "a": 2}),
    line(protocol="p|v1|category=bag", value=0.125, facets={"category": "bag"}),
]


@pytest.fixture
def folder(tmp_path):
    append_line(tmp_path / RECORDS, ALL)
    return ResultsFolder(tmp_path)


def frames(folder):
    records = Records(folder)
    return {part: records.part(part, SCHEMA.names) for part in Part}


def same(found, expected):
    for part in Part:
        pd.testing.assert_frame_equal(found[part].astype("object"), expected[part].astype("object"))


def fresh(folder, tmp_path_factory):
    """Return what a folder without a cache would give."""
    copied = tmp_path_factory.mktemp("fresh")
    shutil.copy(folder.root / RECORDS, copied)
    return frames(ResultsFolder(copied))


@pytest.fixture
def journal_is_read(monkeypatch):
    """Return where each reading of the journal began."""
    starts = []
    read = ResultsFolder.record_blocks
    monkeypatch.setattr(
        ResultsFolder, "record_blocks", lambda self, start=0: (starts.append(start), read(self, start))[1]
    )
    return starts


def test_records_come_by_what_they_are_of(folder):
    found = frames(folder)
    assert [len(found[part]) for part in Part] == [2, 1, 1, 1]
    whole, epoch, corruption, category = (found[part] for part in Part)
    assert whole.setting.tolist() == ["{}", '{"b": 1, "a": 2}']
    assert whole.value.isna().tolist() == [True, False]
    assert (epoch.protocol[0], epoch.epoch[0], epoch.lr_scale[0]) == ("p|v1", 2, 0.5)
    assert corruption.loc[0, ["protocol", "corruption", "severity", "value"]].tolist() == [
        "p|v1",
        "fog",
        3,
        0.25,
    ]
    assert category.loc[0, ["protocol", "category", "value"]].tolist() == ["p|v1", "bag", 0.125]


def test_the_journal_is_read_once_and_then_only_what_is_new(folder, journal_is_read, tmp_path_factory):
    first = frames(folder)
    same(frames(folder), first)
    assert journal_is_read == [0]
    size = (folder.root / RECORDS).stat().st_size
    append_line(folder.root / RECORDS, [line("train-c"), line("train-c", protocol="p|v1|epoch=1")])
    found = frames(folder)
    assert journal_is_read == [0, size]
    assert [len(found[part]) for part in Part] == [3, 2, 1, 1]
    same(found, fresh(folder, tmp_path_factory))
    journal_is_read.clear()
    same(frames(folder), found)
    assert journal_is_read == []


def test_a_record_that_comes_again_stands_in_the_place_of_the_first(folder, tmp_path_factory):
    frames(folder)
    append_line(folder.root / RECORDS, [line(value=0.75), line("train-c"), line("train-c", value=0.1)])
    found = frames(folder)
    assert found[Part.WHOLE].job_id.tolist() == ["train-a", "train-b", "train-c"]
    assert found[Part.WHOLE].value.tolist() == [0.75, 0.5, 0.1]
    same(found, fresh(folder, tmp_path_factory))


def sealed(content):
    """Return lines with checksums that fit again."""
    return b"".join(to_line(json.loads(one)) for one in check_lines(content.split(b"\n"))[0])


def rewritten(content):
    plain = b"".join(one + b"\n" for one in check_lines(content.split(b"\n"))[0])
    return sealed(plain.replace(b"0.25", b"0.35"))


def rewritten_and_longer(content):
    return rewritten(content) + to_line(line("train-z", value=None, n=None))


def shortened(content):
    return content[: content.index(b"\n") + 1]


@pytest.mark.parametrize("change", [rewritten, rewritten_and_longer, shortened, lambda content: b""])
def test_a_journal_that_did_more_than_grow_is_read_anew(change, folder, tmp_path_factory):
    before = frames(folder)
    path = folder.root / RECORDS
    stat = path.stat()
    path.write_bytes(change(path.read_bytes()))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    found = frames(folder)
    same(found, fresh(folder, tmp_path_factory))
    assert any(not found[part].equals(before[part]) for part in Part)


@pytest.mark.parametrize("keep", [0, 4, 200, -20, -1])
def test_a_damaged_cache_is_made_anew(keep, folder, journal_is_read):
    first = frames(folder)
    path = folder.root / CACHE
    content = path.read_bytes()
    path.write_bytes(content[:keep])
    same(frames(folder), first)
    assert journal_is_read == [0, 0]
    assert path.read_bytes() == content


def test_a_cache_whose_pages_are_damaged_is_made_anew(folder, journal_is_read):
    first = frames(folder)
    path = folder.root / CACHE
    content = bytearray(path.read_bytes())
    content[100:140] = bytes(byte ^ 0xFF for byte in content[100:140])
    path.write_bytes(bytes(content))
    same(frames(folder), first)
    assert journal_is_read[-1] == 0


def test_a_foreign_file_and_another_version_are_made_anew(folder, journal_is_read, monkeypatch):
    first = frames(folder)
    pd.DataFrame({"a": [1]}).to_parquet(folder.root / CACHE)
    same(frames(folder), first)
    monkeypatch.setattr(cache, "VERSION", cache.VERSION + 1)
    same(frames(folder), first)
    assert journal_is_read == [0, 0, 0]


def test_without_a_journal_there_are_no_rows_and_no_file(folder):
    frames(folder)
    (folder.root / RECORDS).unlink()
    assert all(frame.empty for frame in frames(folder).values())
    assert list(folder.root.iterdir()) == []
    assert all(frame.empty for frame in frames(ResultsFolder(folder.root / "gone")).values())


def test_a_cache_that_cannot_be_written_is_done_without_and_leaves_nothing(folder, monkeypatch):
    def no_room(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.pq.ParquetWriter, "write_table", no_room)
    assert len(frames(folder)[Part.WHOLE]) == 2
    assert [path.name for path in folder.root.iterdir()] == [RECORDS]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"job_id": "x"}, "lacks 'protocol'"),
        ({key: value for key, value in line().items() if key != "dataset"}, "lacks 'dataset'"),
        (line(value="high"), "high"),
        (line(setting=None), "NoneType"),
        (line(n=2**70), "int too large"),
    ],
)
def test_a_line_that_is_no_record_is_named(bad, reason, folder):
    append_line(folder.root / RECORDS, [bad, line("train-d")])
    with pytest.raises(StoreError, match=rf"records\.jsonl:6: no record \(.*{reason}.*restore the file"):
        Records(folder)
    assert not (folder.root / CACHE).exists()


def test_an_infinite_number_is_no_record(folder):
    with (folder.root / RECORDS).open("a") as file:
        file.write(json.dumps(line(value=0.125)).replace("0.125", "1e999") + "\n")
    with pytest.raises(StoreError, match=r"records\.jsonl:6: no record \(a number is infinite\)"):
        Records(folder)


def test_a_flipped_bit_is_told_at_every_reading_and_its_line_left_out(folder):
    path = folder.root / RECORDS
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"value": 0.5', b'"value": 0.7', 1))
    assert path.read_bytes() != content
    for _ in range(2):
        with pytest.warns(
            LsbenchWarning, match=r"records\.jsonl:2: damaged line not used \(wrong checksum\)"
        ):
            found = frames(folder)
        assert [len(found[part]) for part in Part] == [2, 0, 1, 1]
    append_line(path, [{"job_id": "x"}])
    with (
        pytest.warns(LsbenchWarning, match="wrong checksum"),
        pytest.raises(StoreError, match=r"records\.jsonl:6: no record"),
    ):
        Records(folder)


def test_a_torn_last_line_is_warned_of_until_it_is_whole(folder):
    frames(folder)
    with (folder.root / RECORDS).open("a") as file:
        file.write('{"job_id": "train-x", ')
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"records\.jsonl:6: torn last line dropped"):
            assert len(frames(folder)[Part.WHOLE]) == 2
    append_line(folder.root / RECORDS, [line("train-c")])
    assert len(frames(folder)[Part.WHOLE]) == 3
