import math

import pytest
import torch

from lsbench.core.errors import DivergedError
from lsbench.engine.loss_watch import LossWatch


def watch(losses, max_loss=None, **settings):
    found = LossWatch(max_loss, **settings)
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


def test_a_training_may_begin_at_thousands_and_settle():
    """As LSNet-B's RetinaNet: its first 50 losses average 22,642, and then it trains well."""
    begins = [900.0, 9_000.0, 90_000.0, 12_000.0, 800.0]
    with pytest.raises(DivergedError, match="is 9e\\+04 after 2 updates"):
        watch(begins)
    found = watch([*begins, 2.0, 1.5], settling=5)
    assert (found.first, found.last) == (90_000.0, 1.5)
    with pytest.raises(DivergedError, match="is inf after 3 updates"):
        watch([*begins[:3], math.inf], settling=5)


def test_once_settled_a_loss_above_ten_times_the_largest_has_exploded():
    with pytest.raises(DivergedError, match="is 31 after 2 updates"):
        watch([2.0, 3.0, 31.0], settling=2)
    assert watch([2.0, 3.0, 30.0], settling=2).last == 30.0
