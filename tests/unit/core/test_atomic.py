import errno
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lsbench.core.atomic import (
    append_line,
    atomic_folder,
    atomic_write,
    copy_folder,
    make_folder,
    remove_parts,
    write_json,
    write_text,
)
from lsbench.core.errors import DiskFullError, StoreError
from lsbench.store.lines import read_lines

LINES = [{"job_id": "a", "value": 1.5, "name": "ü|\n"}, {"job_id": "b", "value": None}, {"job_id": "c"}]


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def journal(tmp_path):
    path = tmp_path / "journal.jsonl"
    append_line(path, LINES[:1])
    append_line(path, LINES[1:])
    return path


def test_what_is_appended_is_read_back(journal, warnings):
    assert read_lines(journal, warn=warnings.append) == LINES
    assert warnings == []
    assert read_lines(journal.with_name("absent"), warn=warnings.append) == []


def test_a_torn_last_line_is_dropped_at_every_point_and_mended_by_the_next_append(journal, warnings):
    content = journal.read_bytes()
    ends = [index + 1 for index, byte in enumerate(content) if byte == ord("\n")]
    for cut in range(len(content) + 1):
        journal.write_bytes(content[:cut])
        warnings.clear()
        whole = sum(end <= cut for end in ends)
        assert read_lines(journal, warn=warnings.append) == LINES[:whole]
        assert len(warnings) == (cut not in (0, *ends))
        append_line(journal, [{"job_id": "new"}])
        warnings.clear()
        assert read_lines(journal, warn=warnings.append) == [*LINES[:whole], {"job_id": "new"}]
        assert warnings == []


def test_a_last_line_of_garbage_is_dropped_and_mended_too(journal, warnings):
    with journal.open("ab") as file:
        file.write(b"\x00\x00\x00\n")
    assert read_lines(journal, warn=warnings.append) == LINES
    assert "torn last line dropped" in warnings[0]
    append_line(journal, [{"job_id": "new"}])
    assert read_lines(journal, warn=warnings.append) == [*LINES, {"job_id": "new"}]


def test_a_damaged_middle_line_is_an_error_that_says_where_and_what_to_do(journal, warnings):
    lines = journal.read_bytes().split(b"\n")
    lines[1] = lines[1][:-3]
    journal.write_bytes(b"\n".join(lines))
    with pytest.raises(
        StoreError, match=r"journal\.jsonl:2: damaged line .*restore it from a copy, or remove"
    ):
        read_lines(journal, warn=warnings.append)


def test_a_number_that_is_none_never_reaches_a_journal(journal, warnings):
    with pytest.raises(ValueError, match="JSON"):
        append_line(journal, [{"value": float("nan")}])
    assert read_lines(journal, warn=warnings.append) == LINES


def test_an_error_while_writing_keeps_the_old_content_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "folder" / "file"
    write_text(path, "old")

    def fail_midway():
        with atomic_write(path) as file:
            file.write(b"half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_midway()
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("when", ["os.fsync", "os.replace", "os.open"])
def test_no_room_is_told_with_the_place_and_keeps_what_is_there(tmp_path, monkeypatch, number, when):
    path = tmp_path / "folder" / "file"
    write_text(path, "old")

    def fail(*words, **more):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(when, fail)
    with pytest.raises(DiskFullError) as caught:
        write_text(path, "new")
    monkeypatch.undo()
    assert str(caught.value).startswith(f"{path}: no room to write it ({os.strerror(number)}, ")
    assert re.search(r"\d MiB free\); make room and run again$", str(caught.value))
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_other_errors_of_the_system_stay_what_they_are(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        write_text(tmp_path / "file" / "below", "x")


def test_no_room_for_a_line_is_told_too(journal, warnings, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(DiskFullError, match=r"journal.jsonl: no room"):
        append_line(journal, LINES)


def test_a_reader_sees_the_old_content_until_the_new_is_whole(tmp_path):
    path = tmp_path / "file"
    write_text(path, "old")
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_json_is_written_for_people_and_programs(tmp_path):
    write_json(tmp_path / "x.json", {"a": ["ü", None]})
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"a": ["ü", None]}
    assert "ü" in text


def test_a_file_is_as_readable_as_any_other_even_where_permissions_cannot_be_set(tmp_path, monkeypatch):
    for name in ("chmod", "fchmod"):
        monkeypatch.setattr(os, name, refuse(errno.EPERM))
    (tmp_path / "plain").write_text("x")
    write_text(tmp_path / "atomic", "x")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_appears_whole_and_takes_the_place_of_an_older_one(tmp_path):
    path = tmp_path / "deep" / "folder"
    for content in ("old", "new"):
        with atomic_folder(path) as part:
            (part / content).write_text(content)
            assert part.parent == path.parent
            assert not (path / content).exists()
    assert [child.name for child in path.iterdir()] == ["new"]
    assert path.stat().st_mode & 0o777 == (tmp_path / "deep").stat().st_mode & 0o777
    assert [child.name for child in path.parent.iterdir()] == ["folder"]


def test_a_folder_that_fails_leaves_the_older_one_and_what_a_killed_process_left_goes(tmp_path):
    path, left = tmp_path / "folder", tmp_path / ".folder.part-killed"
    with atomic_folder(path) as part:
        (part / "old").write_text("old")
    left.mkdir()

    def fail_midway():
        with atomic_folder(path) as part:
            (part / "half").write_text("")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fail_midway()
    assert [child.name for child in path.iterdir()] == ["old"]
    assert [child.name for child in tmp_path.iterdir()] == ["folder"]


def refuse(code):
    def call(*_, **__):
        raise OSError(code, os.strerror(code))

    return call


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_permissions_still_takes_files_and_folders(tmp_path, monkeypatch, code):
    for name in ("chmod", "fchmod"):
        monkeypatch.setattr(os, name, refuse(code))
    write_text(tmp_path / "file", "content")
    with atomic_folder(tmp_path / "folder") as part:
        (part / "a").write_text("1")
    assert (tmp_path / "file").read_text() == "content"
    assert (tmp_path / "folder" / "a").read_text() == "1"


def refuse_sync_of_folders(monkeypatch, code):
    sync = os.fsync

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EPERM, errno.ENOSYS])
def test_a_file_system_that_cannot_sync_folders_still_takes_files(tmp_path, monkeypatch, code):
    refuse_sync_of_folders(monkeypatch, code)
    write_text(tmp_path / "file", "content")
    assert (tmp_path / "file").read_text() == "content"


def test_a_folder_that_cannot_be_listed_still_takes_files(tmp_path, monkeypatch):
    real = os.open

    def open_file(path, flags, *more, **others):
        if os.path.isdir(path) and flags == os.O_RDONLY:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, flags, *more, **others)

    monkeypatch.setattr(os, "open", open_file)
    write_text(tmp_path / "file", "content")
    assert (tmp_path / "file").read_text() == "content"


def test_a_broken_disk_is_never_passed_over(tmp_path, monkeypatch):
    refuse_sync_of_folders(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match=r"Input/output"):
        write_text(tmp_path / "file", "content")
    monkeypatch.setattr(os, "fsync", refuse(errno.EIO))
    for write in (lambda: write_text(tmp_path / "a", ""), lambda: append_line(tmp_path / "b", [{}])):
        with pytest.raises(OSError, match=r"Input/output"):
            write()
    monkeypatch.setattr(os, "fsync", refuse(errno.ENOSPC))
    with pytest.raises(DiskFullError):
        write_text(tmp_path / "a", "")


def test_a_folder_is_copied_without_permissions_and_without_what_is_not_wanted(tmp_path, monkeypatch):
    source = tmp_path / "source"
    for path in (source / "a", source / "deep" / "b", source / ".hidden" / "c", source / ".d"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    for name in ("chmod", "fchmod", "utime"):
        monkeypatch.setattr(os, name, refuse(errno.EPERM))
    copy_folder(source, tmp_path / "target", keep=lambda name: not name.startswith("."))
    copied = {path.relative_to(tmp_path / "target").as_posix() for path in (tmp_path / "target").rglob("*")}
    assert copied == {"a", "deep", "deep/b"}
    assert (tmp_path / "target" / "deep" / "b").read_text() == "b"


@pytest.mark.parametrize("write", [write_json, lambda path, value: append_line(path, [value])])
def test_the_names_of_new_files_and_folders_reach_the_disk(tmp_path, monkeypatch, write):
    synced, sync = [], os.fsync

    def fsync(descriptor):
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    path = tmp_path / "a" / "b" / "c.json"
    make_folder(path.parent)
    assert {tmp_path, path.parents[1]} == set(synced)
    write(path, {"x": 1})
    assert path.parent in synced
    synced.clear()
    write_json(tmp_path / "d" / "e" / "f.json", {})
    assert {tmp_path, tmp_path / "d", tmp_path / "d" / "e"} < set(synced)
    synced.clear()
    append_line(path, [{"x": 2}])
    assert synced == [path]  # no more than it takes


def test_a_new_folder_costs_no_look_at_all_folders_above_it(tmp_path, monkeypatch):
    path, looked, look = tmp_path / "jobs" / "train-1", set(), os.stat
    path.parent.mkdir()

    def stat_file(place, *words, **more):
        looked.add(Path(place))
        return look(place, *words, **more)

    monkeypatch.setattr(os, "stat", stat_file)
    make_folder(path)
    make_folder(path)
    monkeypatch.undo()
    assert path.is_dir()
    assert looked <= {path, path.parent}


def test_a_folder_that_another_process_makes_at_the_same_time_is_taken(tmp_path, monkeypatch):
    make = os.mkdir

    def make_twice(place, *words, **more):
        make(place, *words, **more)
        return make(place, *words, **more)

    monkeypatch.setattr(os, "mkdir", make_twice)
    make_folder(tmp_path / "a" / "b")
    monkeypatch.undo()
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "gone" / "below")


def test_a_new_folder_and_those_around_it_reach_the_disk_once(tmp_path, monkeypatch):
    synced, sync = [], os.fsync

    def fsync(descriptor):
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    make_folder(tmp_path / "a" / "b")
    assert synced == [tmp_path, tmp_path / "a"]
    make_folder(tmp_path / "a" / "b")
    assert synced == [tmp_path, tmp_path / "a"]


@pytest.mark.parametrize(("syncs_entry", "synced"), [(True, ["file", "folder"]), (False, ["file"])])
def test_the_content_is_on_the_disk_and_its_entry_too_unless_a_later_file_of_the_folder_sees_to_it(
    tmp_path, monkeypatch, syncs_entry, synced
):
    found, fsync = [], os.fsync

    def note(descriptor):
        found.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write_text(tmp_path / "spec.json", "{}", syncs_entry=syncs_entry)
    assert found == synced


def test_what_killed_processes_have_left_half_written_is_removed(tmp_path):
    killed = "import os, sys; from pathlib import Path; from lsbench.core.atomic import atomic_write\n"
    killed += "with atomic_write(Path(sys.argv[1])) as file: os._exit(9)"
    subprocess.run([sys.executable, "-c", killed, tmp_path / "result.json"], check=False)
    [part] = tmp_path.iterdir()
    kept = [".lock", ".owner.json", ".alive", ".step-000000001.pt.part-1", "log.txt", ".probe-12345678"]
    for name in kept:
        (tmp_path / name).touch()
    remove_parts(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(kept)
    assert part.name.startswith(".result.json.")
