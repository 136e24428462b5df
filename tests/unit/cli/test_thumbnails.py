import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from lsbench.cli.main import run_command
from lsbench.cli.thumbnails import choose_images, write_thumbnails
from lsbench.data.datasets.fashion import DATASET as FASHION
from lsbench.data.datasets.fashion import FashionSpec
from lsbench.data.loading.image_list import list_images
from lsbench.store.results import SPEC
from lsbench.store.thumbnails import THUMBNAILS


@pytest.fixture
def garments_list():
    return list_images(
        FASHION.prepare(FashionSpec(train_images=40, val_images=20, test_images=20), None), "test"
    )


@pytest.fixture
def make_store(tiny, make_graph, fill_store, keep_answers, garments_list):
    """Write results whose evaluations have seen the embedded garments, in any storage."""

    def make(dataset=None, **options):
        tiny["defaults"]["dataset"] = dataset or tiny["defaults"]["dataset"]
        graph = make_graph(tiny, **options)
        folder = fill_store(graph)
        keep_answers(folder, graph, names=garments_list.paths)
        for job in graph.by_id().values():
            (folder.job_folder(job.id) / SPEC).write_text(job.model_dump_json(), encoding="utf-8")
        return folder

    return make


def pictures(folder):
    return sorted(path.name for path in (folder.root / THUMBNAILS).glob("*/*.jpg"))


def test_the_chosen_images_are_written_once_and_old_ones_removed(make_store):
    folder = make_store()
    ((key, (_, names)),) = choose_images(folder).items()
    assert 0 < len(names) <= 24
    assert write_thumbnails(folder) == (len(names), [])
    assert pictures(folder) == sorted(f"{number}.jpg" for number in names)
    for name in ("999.jpg", "x.jpg"):
        (folder.root / THUMBNAILS / key / name).write_bytes(b"old")
    (folder.root / THUMBNAILS / "gone").mkdir()
    assert write_thumbnails(folder) == (0, [])
    assert len(pictures(folder)) == len(names)
    assert [path.name for path in (folder.root / THUMBNAILS).iterdir()] == [key]


def test_they_are_the_pictures_of_those_images(make_store, garments_list):
    folder = make_store()
    write_thumbnails(folder)
    ((key, (_, names)),) = choose_images(folder).items()
    for number, name in names.items():
        small = Image.open(folder.root / THUMBNAILS / key / f"{number}.jpg").convert("L")
        original = garments_list.decode(garments_list.paths.index(name)).convert("L")
        assert small.size == original.size
        mean = [sum(image.tobytes()) / (28 * 28) for image in (small, original)]
        assert abs(mean[0] - mean[1]) < 4


def test_neither_torch_nor_timm_is_imported(make_store):
    folder = make_store()
    code = (
        "import sys; from pathlib import Path; from lsbench.store.results import ResultsFolder\n"
        "from lsbench.cli.thumbnails import write_thumbnails\n"
        f"written, problems = write_thumbnails(ResultsFolder(Path({str(folder.root)!r})))\n"
        "heavy = {'torch', 'timm', 'ray'} & set(sys.modules)\n"
        "sys.exit(f'{problems} {heavy}' if problems or heavy or not written else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def shards(images, root):
    (root / "test").mkdir(parents=True)
    with tarfile.open(root / "test" / "0.tar", "w") as tar:
        for path in images.paths:
            tar.add(images.folder / path, path)


def copies(images, root):
    for path in images.paths:
        target = root / "test" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((images.folder / path).read_bytes())


def table(images, root):
    datasets = pytest.importorskip("datasets")
    names = sorted({path.split("/")[0] for path in images.paths})
    rows = {
        "image": [
            {"bytes": (images.folder / path).read_bytes(), "path": Path(path).name} for path in images.paths
        ],
        "label": [names.index(path.split("/")[0]) for path in images.paths],
    }
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
    (root / "data").mkdir(parents=True)
    datasets.Dataset.from_dict(rows, features).to_parquet(root / "data" / "test-00000.parquet")


@pytest.mark.parametrize(("reader", "store"), [("folder", copies), ("wds", shards), ("hfds", table)])
def test_any_storage_gives_its_images(make_store, garments_list, tmp_path, reader, store):
    store(garments_list, tmp_path / "own")
    folder = make_store(
        {"name": "image_folder", "root": str(tmp_path / "own"), "img_size": 32, "reader": reader}
    )
    written, problems = write_thumbnails(folder)
    assert problems == []
    assert written == len(pictures(folder)) > 0


def test_the_data_may_lie_elsewhere_by_the_time_of_the_report(make_store, garments_list, tmp_path, capsys):
    copies(garments_list, tmp_path / "there" / "own")
    dataset = {"name": "image_folder", "root": "own", "img_size": 32}
    folder = make_store(dataset, data_root=tmp_path / "there")
    (tmp_path / "there").rename(tmp_path / "here")
    written, problems = write_thumbnails(folder)
    assert (written, len(problems)) == (0, 1)
    arguments = ["report", "tiny", "--results", str(folder.root.parents[1])]
    for place, code, words in (("gone", 2, "expected the folder that holds"), ("empty", 0, "no thumbnails")):
        (tmp_path / "empty").mkdir(exist_ok=True)
        asked = ["--thumbnails", str(tmp_path / place), "-o", str(tmp_path / "a.csv")]
        assert run_command([*arguments, *asked]) == code
        assert words in capsys.readouterr().err
    assert (
        run_command([*arguments, "--thumbnails", str(tmp_path / "here"), "-o", str(tmp_path / "a.html")]) == 0
    )
    assert "thumbnails written" in capsys.readouterr().err
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == len(pictures(folder)) > 0


def test_files_of_before_and_folders_without_a_manifest_have_none(tiny, make_graph, fill_store, tmp_path):
    folder = fill_store(make_graph(tiny))
    assert write_thumbnails(folder) == (0, [])
    assert not (folder.root / THUMBNAILS).exists()


def test_a_data_set_that_fails_in_any_way_fails_no_run(make_store, monkeypatch):
    def fail(*_):
        raise KeyError("a bug of a plug-in")

    folder = make_store()
    monkeypatch.setattr(type(FASHION), "prepare", fail)
    assert write_thumbnails(folder) == (0, ["KeyError: 'a bug of a plug-in'"])
