import pytest

from lsbench.scheduler.node_needs import needs_of, shared_bytes
from lsbench.scheduler.protocol import NodeNeeds
from lsbench.suite.parsed import parsed_once

BATCH = 16 * 3 * 224 * 224 * 4


@pytest.fixture
def jobs_on_disk(tiny, make_graph, tmp_path):
    """Return the jobs of a suite that reads an image folder with loader processes."""

    def make(**train):
        from PIL import Image

        for split in ("train", "val"):
            for name in ("a", "b"):
                folder = tmp_path / split / name
                folder.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (8, 8)).save(folder / "0.png")
        tiny["defaults"]["dataset"] = {"name": "image_folder", "root": str(tmp_path), "img_size": 224}
        tiny["jobs"][0]["train"] |= {"batch_size": 32, "device_batch_size": 16, "data_workers": 4, **train}
        return make_graph(tiny).jobs

    return make


def test_jobs_on_generated_data_need_nothing_of_a_node(tiny, make_graph):
    assert needs_of(parsed_once(make_graph(tiny).jobs), wants_gpus=False) == NodeNeeds()


def test_what_jobs_read_is_named_once_and_the_largest_loaders_count(jobs_on_disk, tmp_path):
    needs = needs_of(parsed_once(jobs_on_disk()), wants_gpus=True)
    assert [one["root"] for one in needs.datasets] == [str(tmp_path)]
    assert (needs.workers, needs.batch_bytes, needs.wants_gpus) == (4, BATCH, True)
    assert needs_of(parsed_once(jobs_on_disk(data_workers=0)), wants_gpus=True).batch_bytes == 0


@pytest.mark.parametrize(
    ("cpus", "gpus", "batches"), [(64, 8, 64), (64, 0, 8), (16, 8, 32), (2, 0, 4), (1, 8, 16)]
)
def test_every_gpu_has_a_job_with_loaders_but_no_more_than_there_are_cpus(cpus, gpus, batches):
    needs = NodeNeeds(workers=4, batch_bytes=10, wants_gpus=gpus > 0)
    assert shared_bytes(needs, cpus=cpus, gpus=gpus) == 10 * batches
