import torch

from lsbench.data.loading.disk import ChunkSampler, EvalSamples, TrainSamples
from lsbench.data.loading.image_list import list_images
from lsbench.data.loading.train_order import TrainOrder


def keys(sampler, epoch=0, start_update=0):
    sampler.epoch, sampler.start_update = epoch, start_update
    return list(sampler)


def test_a_chunk_is_a_list_of_keys():
    sampler = ChunkSampler(TrainOrder(20, seed=0, batch_size=6, chunks=2))
    first = keys(sampler, epoch=4)
    assert len(first) == len(sampler) == 6
    assert {(epoch, copy) for chunk in first for epoch, _, copy in chunk} == {(4, 0)}
    assert len({index for chunk in first for _, index, _ in chunk}) == 18
    assert keys(sampler, epoch=4, start_update=1) == first[2:]
    assert len(sampler) == 4


def test_the_global_generator_plays_no_part():
    torch.manual_seed(1)
    first = keys(ChunkSampler(TrainOrder(20, 0, 5)))
    torch.manual_seed(2)
    assert keys(ChunkSampler(TrainOrder(20, 0, 5))) == first


def test_copies_of_an_image_differ_and_the_first_is_what_the_only_one_is(colours):
    def noise(image):
        return torch.rand(3)

    samples = TrainSamples(list_images(colours, "train"), noise, seed=0)
    copies = [samples[0, 7, copy][0] for copy in range(3)]
    assert len({tuple(pixels.tolist()) for pixels, _ in copies}) == 3
    assert {target for _, target in copies} == {1}
    assert torch.equal(samples[0, 7, 2][0][0], copies[2][0])


def test_evaluation_replaces_nothing(colours):
    (colours.split("val") / "n1" / "0.png").write_bytes(b"no image")
    sample, failures = EvalSamples(list_images(colours, "val"), lambda image: image)[0]
    assert sample is None
    assert [path for path, _ in failures] == ["n1/0.png"]
