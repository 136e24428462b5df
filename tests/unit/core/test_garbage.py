import gc
import weakref

import pytest

from lsbench.core.garbage import collect_seldom, no_garbage_collection


class Ring:
    def __init__(self):
        self.ring = self


@pytest.mark.parametrize("was_enabled", [True, False])
def test_it_is_afterwards_as_it_was(was_enabled):
    (gc.enable if was_enabled else gc.disable)()
    with no_garbage_collection():
        assert not gc.isenabled()
    assert gc.isenabled() == was_enabled
    with pytest.raises(KeyError), no_garbage_collection():
        raise KeyError
    assert gc.isenabled() == was_enabled


def test_a_look_at_the_youngest_finds_every_cycle_of_the_block():
    with no_garbage_collection():
        rings = [weakref.ref(Ring()) for _ in range(5000)]
        assert all(ring() is not None for ring in rings)
        gc.collect(0)
        assert all(ring() is None for ring in rings)


def test_seldom_is_not_never():
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    try:
        collect_seldom()
        rare = gc.get_threshold()
    finally:
        gc.set_threshold(*before)
    assert all(seldom > often > 0 for seldom, often in zip(rare, (700, 10, 10), strict=True))
