import threading

import pytest

from lsbench.core.waits import told_to
from lsbench.data.cache import MARKER, materialise

FINGERPRINT = "ab" * 32


def test_a_finished_folder_is_used_again():
    calls = []

    def write(folder):
        calls.append(folder)
        (folder / "a").write_text("1")

    first = materialise("toy", FINGERPRINT, write)
    assert materialise("toy", FINGERPRINT, write) == first
    assert first.name == "toy-abababababab"
    assert (first / "a").read_text() == "1"
    assert len(calls) == 1


def test_a_failed_write_leaves_nothing_and_an_unfinished_folder_is_replaced(cache):
    def fail(folder):
        (folder / "half").write_text("")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        materialise("toy", FINGERPRINT, fail)
    assert [p.name for p in (cache / "datasets").iterdir()] == [".toy-abababababab.lock"]

    unfinished = cache / "datasets" / "toy-abababababab"
    unfinished.mkdir()
    (unfinished / "half").write_text("")
    done = materialise("toy", FINGERPRINT, lambda folder: (folder / "a").write_text("1"))
    assert sorted(p.name for p in done.iterdir()) == [MARKER, "a"]


def test_two_at_once_write_once():
    calls = []
    start = threading.Barrier(3)

    def work():
        start.wait()
        materialise("toy", FINGERPRINT, calls.append)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_writing_is_told_before_it_begins_and_once_only():
    heard = []
    with told_to(heard.append):
        materialise("told", FINGERPRINT, lambda folder: heard.append("- written"))
        materialise("told", FINGERPRINT, heard.append)
    assert heard == ["writing the images of told, once on this machine", "- written"]
