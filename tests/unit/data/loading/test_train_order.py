from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.data.distributed_sampler import RepeatAugSampler

from lsbench.core.errors import ConfigError
from lsbench.data.loading.sample_rng import derive_seed
from lsbench.data.loading.train_order import TrainOrder, eval_batches


def test_the_order_follows_from_seed_and_epoch():
    order = TrainOrder(20, seed=0, batch_size=5)
    first, copies = order.draw(0)
    assert torch.equal(first, TrainOrder(20, seed=0, batch_size=5).draw(0)[0])
    assert sorted(first.tolist()) == list(range(20))
    assert not copies.any()
    assert not torch.equal(first, replace(order, seed=1).draw(0)[0])
    assert not torch.equal(first, order.draw(1)[0])


def test_without_repeats_the_order_is_what_it_has_always_been():
    assert TrainOrder(8, 0, 4).draw(0)[0].tolist() == [1, 0, 5, 4, 7, 2, 6, 3]
    assert TrainOrder(8, 3, 4).draw(7)[0].tolist() == [4, 2, 6, 1, 3, 7, 5, 0]


@pytest.mark.parametrize(("num_images", "selected"), [(700, 512), (256, 256), (255, 255), (10, 10)])
def test_repeats_are_timms_order(num_images, selected):
    order = TrainOrder(num_images, seed=2, batch_size=5, repeats=3)
    indices, copies = order.draw(4)
    assert len(indices) == order.images_per_epoch == selected
    assert order.updates == selected // 5
    assert copies.tolist() == [i % 3 for i in range(selected)]
    if num_images >= 256:  # below, older versions of timm select nothing
        sampler = RepeatAugSampler(range(num_images), num_replicas=1, rank=0, num_repeats=3)
        sampler.set_epoch(derive_seed(2, 4))
        assert indices.tolist() == list(sampler)
    assert torch.equal(indices[0:-1:3], indices[1::3][: len(indices[0:-1:3])])
    assert not torch.equal(indices, replace(order, seed=3).draw(4)[0])


def test_ranks_and_chunks_cut_the_same_batches():
    whole = TrainOrder(40, 0, 12)
    batches = [list(range(40))[part] for part in whole.positions()]
    assert [len(batch) for batch in batches] == [12, 12, 12]
    cut = replace(whole, chunks=4, world_size=2)
    shares = [[list(range(40))[p] for p in replace(cut, rank=rank).positions()] for rank in (0, 1)]
    for update, batch in enumerate(batches):
        chunks = [shares[k % 2][2 * update + k // 2] for k in range(4)]
        assert chunks == [batch[k::4] for k in range(4)]
    assert list(replace(cut, rank=1).positions(2)) == list(replace(cut, rank=1).positions())[4:]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"chunks": 5}, "multiple of its 5 chunks"),
        ({"chunks": 3, "world_size": 2}, "multiple of the 2 ranks"),
        ({"rank": 1}, "a rank from 0 to 0, found 1"),
        ({"repeats": 0}, "repeats: expected at least 1"),
    ],
)
def test_what_cannot_be_shared_is_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        TrainOrder(40, 0, 12, **wrong)


def test_ranks_take_evaluation_batches_in_turn():
    whole = eval_batches(11, 3)
    assert [len(batch) for batch in whole] == [3, 3, 3, 2]
    assert eval_batches(11, 3, rank=0, world_size=2) == whole[0::2]
    assert eval_batches(11, 3, rank=1, world_size=2) == whole[1::2]
    assert eval_batches(1, 3, rank=1, world_size=2) == []


@given(
    num_images=st.integers(0, 200), batch_size=st.integers(1, 60), world_size=st.sampled_from([1, 2, 3, 8])
)
def test_every_rank_has_an_evaluation_batch_and_every_image_is_in_one(num_images, batch_size, world_size):
    shares = [eval_batches(num_images, batch_size, rank=r, world_size=world_size) for r in range(world_size)]
    assert sorted(i for share in shares for batch in share for i in batch) == list(range(num_images))
    assert all(len(batch) <= batch_size for share in shares for batch in share)
    assert min(len(share) for share in shares) >= (num_images >= world_size)
