import numpy as np
import pytest

from lsbench.robustness.blocks import PredictionBlocks, blocks_of

BLOCK = range(4, 7)
PREDICTIONS = np.arange(6, dtype=np.int16).reshape(2, 3)


@pytest.fixture
def kept(tmp_path):
    found = PredictionBlocks(tmp_path / "cells", "stamp", 2)
    found.write(BLOCK, PREDICTIONS)
    return found


@pytest.mark.parametrize("images", [1, 2, 63, 64, 65, 500, 4097, 50_000])
def test_blocks_are_all_images_once_in_pieces_small_enough_to_share(images):
    blocks = blocks_of(images)
    assert [image for block in blocks for image in block] == list(range(images))
    assert max(map(len, blocks)) <= 64
    assert len(blocks) >= min(images, 64)
    assert len({len(block) for block in blocks[:-1]}) <= 1


def test_a_finished_block_is_read_again(kept):
    assert np.array_equal(kept.read(BLOCK), PREDICTIONS)
    assert kept.read(range(7, 10)) is None


def test_a_block_of_another_job_is_passed_over(kept, tmp_path):
    assert PredictionBlocks(tmp_path / "cells", "another stamp", 2).read(BLOCK) is None
    assert PredictionBlocks(tmp_path / "cells", "stamp", 3).read(BLOCK) is None


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_torn_block_is_passed_over_and_can_be_written_again(kept, tmp_path, share):
    [path] = (tmp_path / "cells").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert kept.read(BLOCK) is None
    kept.write(BLOCK, PREDICTIONS)
    assert np.array_equal(kept.read(BLOCK), PREDICTIONS)


@pytest.mark.parametrize("change", [0.2, 0.5, 0.8])
def test_a_damaged_block_is_never_read_as_another(kept, tmp_path, change):
    [path] = (tmp_path / "cells").iterdir()
    whole = bytearray(path.read_bytes())
    whole[int(change * len(whole))] ^= 0xFF
    path.write_bytes(whole)
    found = kept.read(BLOCK)
    assert found is None or np.array_equal(found, PREDICTIONS)


def test_other_files_are_passed_over(kept, tmp_path):
    [path] = (tmp_path / "cells").iterdir()
    np.savez(path, something=np.zeros(3))
    assert kept.read(BLOCK) is None
    np.savez(path, stamp=np.array("stamp"), predictions=PREDICTIONS.astype(np.int64))
    assert kept.read(BLOCK) is None
    np.savez(path, stamp=np.array("stamp"), predictions=np.array([object()]))
    assert kept.read(BLOCK) is None
