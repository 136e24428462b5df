import torch

from lsbench.data.disk import EpochSampler


def test_the_order_follows_from_seed_and_epoch():
    sampler = EpochSampler(20, seed=0)
    first = list(sampler)
    assert first == list(EpochSampler(20, seed=0))
    assert sorted(index for _, index in first) == list(range(20))
    assert first != list(EpochSampler(20, seed=1))
    sampler.epoch = 1
    assert {epoch for epoch, _ in sampler} == {1}
    assert [i for _, i in sampler] != [i for _, i in first]


def test_the_global_generator_plays_no_part():
    torch.manual_seed(1)
    first = list(EpochSampler(20, seed=0))
    torch.manual_seed(2)
    assert list(EpochSampler(20, seed=0)) == first
