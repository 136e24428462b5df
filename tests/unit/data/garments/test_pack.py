import hashlib
import lzma

import numpy as np
import pytest

from lsbench.core.errors import DataError
from lsbench.data.garments import pack
from lsbench.data.imagenet.ilsvrc import ilsvrc_wnids


def test_the_pack_is_small_complete_and_balanced():
    assert pack.PACK.stat().st_size < 7_900_000
    sizes = {"train": 9000, "val": 1000, "test": 10_000}
    for split, garments in pack.read_pack().items():
        assert garments.images.shape == (sizes[split], 28, 28)
        assert pack.num_images(split) == sizes[split]
        assert np.bincount(garments.labels).tolist() == [sizes[split] // 10] * 10


def test_splits_share_no_image():
    splits = pack.read_pack()
    assert not set(splits["train"].indices) & set(splits["val"].indices)
    pixels = [hashlib.sha256(image.tobytes()).digest() for s in splits.values() for image in s.images]
    assert len(set(pixels)) == 20_000


def test_the_manifest_states_the_checksum_of_the_shipped_file():
    manifest = pack.read_manifest()
    assert hashlib.sha256(pack.PACK.read_bytes()).hexdigest() == manifest["pack_sha256"]
    assert pack.content_sha256() == manifest["payload_sha256"]


def test_stand_in_ids_are_ten_ilsvrc_classes():
    assert len(set(pack.wnids())) == 10
    assert set(pack.wnids()) <= set(ilsvrc_wnids())


def test_a_prefix_is_balanced_and_the_start_of_a_longer_one():
    train = pack.read_pack()["train"]
    short, long = train.balanced_prefix(20), train.balanced_prefix(200)
    assert np.bincount(short.labels).tolist() == [2] * 10
    assert set(short.indices) <= set(long.indices)
    for wrong in (0, 15, 9010):
        with pytest.raises(DataError, match="multiple of 10"):
            train.balanced_prefix(wrong)


def test_damage_and_absence_are_reported(tmp_path, monkeypatch):
    damaged = tmp_path / "pack.xz"
    monkeypatch.setattr(pack, "PACK", damaged)
    damaged.write_bytes(b"not xz")
    with pytest.raises(DataError, match="is damaged"):
        pack.read_pack.__wrapped__()
    damaged.write_bytes(lzma.compress(b"other"))
    with pytest.raises(DataError, match="expected content sha256"):
        pack.read_pack.__wrapped__()
    damaged.unlink()
    with pytest.raises(DataError, match="reinstall lsbench"):
        pack.read_manifest.__wrapped__()


def test_titles_are_in_the_order_of_the_sorted_ids():
    titles = dict(zip(sorted(pack.wnids()), pack.titles(), strict=True))
    assert [titles[wnid] for wnid in pack.wnids()][:3] == ["T-shirt/top", "Trouser", "Pullover"]
