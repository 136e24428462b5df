import os
import sys

import pytest
import torch

from lsbench.timing.layout import shift_memory

#: On the heap, more than fit into the holes that a long life has left there; and pages of their own.
SIZES = (*[1000] * 200, 10**6)


def addresses_in_a_copy(shifts):
    """Return where new tensors lie in a forked copy of this process."""
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        kept = shift_memory() if shifts else []
        tensors = [torch.empty(size) for size in SIZES]
        os.write(write, " ".join(str(tensor.data_ptr()) for tensor in tensors).encode())
        os._exit(len(kept) == 0 and shifts)
    os.close(write)
    with open(read) as stream:
        found = tuple(map(int, stream.read().split()))
    assert os.waitpid(pid, 0)[1] == 0
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="its allocator lays out copies alike")
def test_copies_of_one_process_lie_alike_unless_they_shift_their_memory():
    assert len({addresses_in_a_copy(shifts=False) for _ in range(3)}) == 1
    found = [addresses_in_a_copy(shifts=True) for _ in range(8)]
    assert len({tuple(small) for *small, _ in found}) > 4
    assert len({large for *_, large in found}) > 4
