import os
import subprocess
import sys

import numpy as np
import pytest

from lsbench.timing.layout import shift_memory

#: On the heap, more than fit into the holes that a long life has left there; and pages of their own.
SIZES = (*[4000] * 200, 4 * 10**6)


def addresses_in_a_copy(shifts):
    """Return where new arrays lie in a forked copy of this process."""
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        kept = shift_memory() if shifts else []
        arrays = [np.empty(size, np.uint8) for size in SIZES]
        os.write(write, " ".join(str(array.ctypes.data) for array in arrays).encode())
        os._exit(len(kept) == 0 and shifts)
    os.close(write)
    with open(read) as stream:
        found = tuple(map(int, stream.read().split()))
    assert os.waitpid(pid, 0)[1] == 0
    return found


def check():
    """Run in an interpreter of its own: a training before may have told the allocator to keep memory."""
    addresses_in_a_copy(shifts=False)  # what this process needs for it once moves the next copy
    assert len({addresses_in_a_copy(shifts=False)[-1] for _ in range(3)}) == 1
    found = [addresses_in_a_copy(shifts=True) for _ in range(8)]
    assert len({tuple(small) for *small, _ in found}) > 4
    assert len({large for *_, large in found}) > 4


@pytest.mark.skipif(sys.platform != "linux", reason="its allocator lays out copies alike")
def test_copies_of_one_process_lie_alike_unless_they_shift_their_memory():
    subprocess.run([sys.executable, __file__], check=True, timeout=60)


if __name__ == "__main__":
    check()
