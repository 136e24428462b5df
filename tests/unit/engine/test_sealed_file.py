import errno
import io
import os
import subprocess

import pytest
import torch

from lsbench.core.errors import StoreError
from lsbench.engine.sealed_file import SEAL_BYTES, opened, read_state, write_sealed, write_state

STATE = {"w": torch.arange(5000.0), "epoch": 3, "python": (3, (1, 2), None)}


@pytest.fixture
def whole():
    file = io.BytesIO()
    write_sealed(file, STATE)
    return file.getvalue()


def test_what_is_written_is_read(whole):
    state = read_state(opened(whole))
    assert torch.equal(state["w"], STATE["w"])
    assert (state["epoch"], state["python"]) == (3, (3, (1, 2), None))


def test_torch_reads_a_sealed_file_as_it_is(whole, tmp_path):
    (tmp_path / "a.pt").write_bytes(whole)
    assert torch.load(tmp_path / "a.pt", weights_only=True)["epoch"] == 3


def test_no_cut_and_no_changed_byte_keeps_the_seal(whole):
    assert opened(whole) is not None
    for cut in [*range(0, len(whole), 997), *range(len(whole) - SEAL_BYTES - 2, len(whole))]:
        assert opened(whole[:cut]) is None
    for place in [*range(0, len(whole), 997), *range(len(whole) - SEAL_BYTES, len(whole))]:
        changed = bytearray(whole)
        changed[place] ^= 1
        assert opened(bytes(changed)) is None
    assert opened(whole + b"\0") is None
    assert opened(whole[1:]) is None


def test_a_file_is_written_part_by_part_without_a_copy_of_it_all():
    class Parts:
        largest = total = 0

        def write(self, part):
            self.largest, self.total = max(self.largest, len(part)), self.total + len(part)

    parts = Parts()
    write_state(parts, {str(number): torch.zeros(50_000) for number in range(20)})
    assert parts.largest <= 200_000
    assert parts.total > 4_000_000


class Full(io.RawIOBase):
    def writable(self):
        return True

    def write(self, part):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("buffering", [1, 4096, 10_000_000])
def test_a_full_disk_is_the_systems_error_and_not_torchs(buffering):
    with pytest.raises(OSError, match="No space left"), io.BufferedWriter(Full(), buffering) as file:
        write_sealed(file, {"w": torch.zeros(500_000)})


def test_a_file_that_may_not_grow_is_the_systems_error(tmp_path, warm_python):
    code = """
import resource, signal, sys, torch
from lsbench.engine.sealed_file import write_sealed
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
try:
    with open(sys.argv[1], "wb") as file:
        write_sealed(file, {"w": torch.zeros(100_000)})
except OSError as error:
    print(error.errno)
"""
    words = [warm_python, "-P", "-c", code, str(tmp_path / "a.pt")]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == [str(errno.EFBIG)]


def test_what_cannot_be_pickled_is_the_callers_error():
    with pytest.raises(Exception, match="pickle"):
        write_state(io.BytesIO(), {"a": lambda: None})


class Evil:
    def __reduce__(self):
        return os.putenv, ("LSBENCH_EVIL", "1")


def test_no_code_is_run():
    file = io.BytesIO()
    write_sealed(file, {"a": Evil()})
    with pytest.raises(StoreError, match="asks for code to be run"):
        read_state(opened(file.getvalue()))


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 half a file", bytes(3000)])
def test_what_is_no_state_is_called_damaged(content):
    with pytest.raises(StoreError, match="it is damaged"):
        read_state(content)
