"""Give a forked process a memory layout of its own.

Two new interpreters differ in where their memory lies, and that alone makes one time a model a little
differently than the other. Copies of one process would all lie alike, and a timing that is spread over some
of them would average nothing out.
"""

from __future__ import annotations

import mmap
import random

#: Blocks on the heap, of which every other one is freed again, and their largest size.
BLOCKS, LARGEST_BYTES = 64, 16384
#: The hole in the address space is this many pages, as large as a huge page, and up to as many more: one that
#: is smaller finds a place in the gaps between libraries, and moves nothing.
PAGES = 512


def shift_memory() -> list[object]:
    """Move what this process allocates from now on; what comes back is kept for as long as it runs."""
    chance = random.SystemRandom()
    pages = PAGES + chance.randint(1, PAGES)
    hole = mmap.mmap(-1, pages * mmap.PAGESIZE)  # never touched, so it takes no memory
    return [hole, *[bytearray(chance.randint(1, LARGEST_BYTES)) for _ in range(BLOCKS)][::2]]
