import pytest

from lsbench.store.results import SPEC, ResultsFolder
from lsbench.store.thumbnails import images_key, read_spec, read_thumbnail, thumbnail_file


@pytest.fixture
def folder(tmp_path):
    return ResultsFolder(tmp_path / "s" / "default")


def job(**changes):
    spec = {"split": "test", "on": None, **changes}
    return {"variant": {"dataset": {"name": "fashion"}}, "spec": spec, "dataset_fingerprint": "f"}


def test_jobs_with_the_same_images_share_a_key():
    assert images_key(job(batch_size=1)) == images_key(job(batch_size=2))
    assert len({images_key(job()), images_key(job(split="val")), images_key(job(on="imagenet_a"))}) == 3


def test_only_a_jpeg_is_a_thumbnail(folder):
    assert read_thumbnail(folder, "k", 3) is None
    path = thumbnail_file(folder, "k", 3)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"<svg onload=alert(1)>")
    assert read_thumbnail(folder, "k", 3) is None
    path.write_bytes(b"\xff\xd8\xff\xe0 and so on")
    assert read_thumbnail(folder, "k", 3).endswith(b"so on")


def test_a_spec_that_is_missing_or_torn_is_none(folder):
    assert read_spec(folder, "a") is None
    folder.job_folder("a").mkdir(parents=True)
    for text in ("{", "[]"):
        (folder.job_folder("a") / SPEC).write_text(text)
        assert read_spec(folder, "a") is None
    (folder.job_folder("a") / SPEC).write_text('{"kind": "evaluate"}')
    assert read_spec(folder, "a") == {"kind": "evaluate"}
