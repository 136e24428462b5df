import math

import pytest
import torch

from lsbench.core.errors import DivergedError
from lsbench.engine.loss_watch import LossWatch


def watch(losses, max_loss=None):
    found = LossWatch(max_loss)
    for update, loss in enumerate(losses):
        found.add(update, 0.1, torch.tensor(loss))
    return found


def test_losses_add_up():
    found = watch([2.0, 1.0, 0.5])
    assert (found.total, found.first, found.last) == (3.5, 2.0, 0.5)
    found.start_epoch()
    assert (found.total, found.first) == (0.0, 2.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 21.0])
def test_what_is_lost_says_when_and_what_was_before(bad):
    with pytest.raises(DivergedError, match=f"is {bad:.4g} after 2 updates, at learning rate 0.1; .*was 1;"):
        watch([2.0, 1.0, bad])
    assert watch([2.0, 19.0]).last == 19.0


def test_the_bound_can_be_set():
    assert watch([2.0, 99.0], max_loss=100.0).last == 99.0
    with pytest.raises(DivergedError, match="is 101 after 1 updates"):
        watch([2.0, 101.0], max_loss=100.0)
    with pytest.raises(DivergedError, match="none was finite before"):
        watch([101.0], max_loss=100.0)
