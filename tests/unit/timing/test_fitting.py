import pytest
import torch
from torch import nn

from lsbench.timing.fitting import find_batch
from lsbench.timing.request import Budget

PLENTY = 2**40


class Hungry(nn.Module):
    """Runs out of memory above a batch size."""

    def __init__(self, most):
        super().__init__()
        self.most = most

    def forward(self, images):
        if len(images) > self.most:
            raise torch.OutOfMemoryError
        return images


@pytest.fixture
def find(small_request):
    """Find the batch of a model whose passes take the seconds that a function of the batch size gives."""

    def run(seconds=lambda size: 1e-3, *, most=64, max_s=20.0, model=None, free=PLENTY):
        tried = []

        def create(model, images, setting):
            def one():
                model(images)
                tried.append(len(images))
                return seconds(len(images))

            return one

        request = small_request.model_copy(update={"budget": Budget(max_s=max_s)})
        found = find_batch(model or nn.Identity(), request, most=most, free_bytes=lambda: free, create=create)
        return found.batch_size, found.ended_by, tried

    return run


@pytest.mark.parametrize(
    ("most", "expected"), [(1, (1, "memory")), (5, (4, "memory")), (8, (8, "memory")), (1000, (64, "most"))]
)
def test_the_largest_batch_that_fits_is_a_power_of_two(most, expected, find):
    assert find(model=Hungry(most))[:2] == expected


def test_on_a_cpu_a_batch_stays_well_within_what_is_free(find):
    image_bytes = 3 * 32 * 32 * 4
    # A pass through the identity holds input and output, threefold to be safe: 6 images' worth for each.
    free = 2 * 2 * 6 * image_bytes * 8
    assert find(free=free - 1)[:2] == (8, "memory")
    assert find(free=free)[:2] == (16, "memory")


def test_a_model_that_holds_not_one_image_is_told(find):
    with pytest.raises(torch.OutOfMemoryError):
        find(model=Hungry(0))


@pytest.mark.parametrize(("gain", "expected"), [(1.02, 4), (1.04, 64)])
def test_the_search_ends_where_twice_the_batch_is_less_than_three_percent_faster(gain, expected, find):
    rates = {1: 100.0, 2: 150.0, 4: 200.0}
    rates |= {size: 200.0 * gain**step for step, size in enumerate((8, 16, 32, 64), 1)}
    found, ended_by, tried = find(lambda size: size / rates[size])
    assert (found, ended_by) == (expected, "throughput" if expected == 4 else "most")
    assert max(tried) <= 2 * found


def test_the_search_ends_when_its_share_of_the_time_is_spent(find):
    spent = []

    def seconds(size):
        spent.append(0.1 * size**0.5)
        return spent[-1]

    found, ended_by, _ = find(seconds, max_s=20.0)
    assert ended_by == "time"
    assert 4 <= found < 64
    assert sum(spent) < 1.5 * 0.25 * 20.0, "first passes come on top"


def test_a_disturbed_batch_is_timed_once_more_before_the_search_ends(find):
    passes = []

    def seconds(size):
        passes.append(size)
        return 1e-3 * (9 if size == 8 and passes.count(8) <= 4 else 1)

    assert find(seconds)[:2] == (64, "most")


def test_one_slow_image_ends_the_search_at_once(find):
    found, ended_by, tried = find(lambda size: 30.0 * size)
    assert (found, ended_by, tried) == (1, "time", [1, 1])


def test_code_that_is_compiled_in_the_first_pass_takes_nothing_from_the_search(find):
    seen = set()

    def seconds(size):
        is_first = size not in seen
        seen.add(size)
        return 60.0 if is_first else 1e-3

    assert find(seconds)[:2] == (64, "most")
