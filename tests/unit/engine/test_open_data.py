import pytest

from lsbench.core.errors import ConfigError, DataError
from lsbench.core.job import JobContext
from lsbench.engine.open_data import OpenData, open_data, open_tested


@pytest.fixture
def context(tiny, make_graph, tmp_path):
    job = make_graph({**tiny, "seeds": [0]}).jobs[0]
    return JobContext(job, spec=None, folder=tmp_path, needs={}, device="cpu", emit=print)


def test_images_are_prepared_once_and_only_when_asked_for(copies):
    root, plugin = copies("fog/1")
    calls = []
    prepare = plugin.prepare
    plugin.prepare = lambda *arguments: calls.append(arguments) or prepare(*arguments)
    data = OpenData({"name": "copies", "root": str(root)}, None)
    assert (data.name, data.img_size, data.num_classes) == ("copies", 32, 10)
    assert calls == []
    data.require()
    assert data.folders is data.folders
    assert data.num_classes == 10
    assert len(calls) == 1


def test_missing_data_says_what_was_expected(tmp_path):
    data = OpenData({"name": "image_folder", "root": "nowhere"}, str(tmp_path))
    with pytest.raises(DataError, match="nowhere"):
        data.require(["test"])


def test_the_size_is_that_of_the_variant_unless_another_is_given(context):
    assert open_data(context).img_size == 32
    assert open_data(context, {"name": "fashion_scenes"}).img_size == 32
    assert open_data(context, {"name": "fashion_scenes", "img_size": 64}).img_size == 64


def test_without_another_data_set_the_own_one_is_tested_on(context):
    own, tested = open_tested(context, None)
    assert own is tested


def test_other_classes_are_refused(context, tmp_path):
    for split in ("train", "val"):
        (tmp_path / "pets" / split / "cat").mkdir(parents=True)
        (tmp_path / "pets" / split / "cat" / "0.png").write_bytes(b"12")
    with pytest.raises(ConfigError, match=r"with the 10 classes of 'fashion' .* found 'image_folder' with 1"):
        open_tested(context, {"name": "image_folder", "root": str(tmp_path / "pets")})
