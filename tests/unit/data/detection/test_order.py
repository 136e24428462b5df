import numpy as np
import pytest

from lsbench.core.errors import ConfigError
from lsbench.data.detection.order import GroupedOrder

WIDE = np.array([True] * 11 + [False] * 5)


def batches(order, epoch=0, start=0):
    drawn = order.draw(epoch).tolist()
    return [drawn[chunk] for chunk in order.positions(start)]


def test_an_epoch_shows_every_image_and_fills_each_kind_up_to_whole_batches():
    order = GroupedOrder(WIDE, seed=0, batch_size=4)
    assert order.images_per_epoch == 12 + 8
    assert order.updates == 5
    drawn = order.draw(0).tolist()
    assert len(drawn) == 20
    assert set(drawn) == set(range(16))
    assert max(map(drawn.count, drawn)) == 2


def test_images_of_a_group_have_one_orientation():
    order = GroupedOrder(WIDE, seed=3, batch_size=4, group_size=2)
    for epoch in range(5):
        groups = order.draw(epoch).reshape(-1, 2)
        assert all(WIDE[a] == WIDE[b] for a, b in groups.tolist())
        assert len({WIDE[group[0]] for group in groups.tolist()[:5]}) in (1, 2)


def test_the_order_is_one_of_seed_and_epoch_for_any_number_of_ranks():
    order = GroupedOrder(WIDE, seed=0, batch_size=4)
    assert order.draw(1).tolist() == GroupedOrder(WIDE, seed=0, batch_size=4, chunks=2).draw(1).tolist()
    assert order.draw(0).tolist() != order.draw(1).tolist()
    assert order.draw(0).tolist() != GroupedOrder(WIDE, seed=1, batch_size=4).draw(0).tolist()
    ranks = [
        batches(GroupedOrder(WIDE, seed=0, batch_size=4, chunks=2, rank=rank, world_size=2))
        for rank in (0, 1)
    ]
    assert [a + b for a, b in zip(*ranks, strict=True)] == batches(order)
    assert batches(order, start=3) == batches(order)[3:]


def test_the_published_epoch_has_its_length():
    """COCO's 117,266 images with objects make 7,330 updates of 16, as the released logs count."""
    is_wide = np.zeros(117_266, dtype=bool)
    is_wide[:83_000] = True
    assert GroupedOrder(is_wide, seed=0, batch_size=16).updates == 7330


def test_few_images_fill_a_batch_again_and_again():
    assert batches(GroupedOrder(np.array([True]), seed=0, batch_size=4)) == [[0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 5}, "a multiple of the 2 images of a group, found 5"),
        ({"batch_size": 4, "chunks": 3}, "a multiple of its 3 chunks"),
        ({"batch_size": 4, "chunks": 1, "world_size": 2}, "those a multiple of the 2 ranks"),
        ({"batch_size": 4, "rank": 1}, "expected a rank from 0 to 0"),
    ],
)
def test_what_cannot_be_divided_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        GroupedOrder(WIDE, seed=0, **options)
