"""The same images as folders, shards and tables are the same data set, whatever their names."""

import io
import shutil
import tarfile
import unicodedata
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsbench.data.datasets.image_folder import DATASET, ImageFolderSpec
from lsbench.data.loading.image_list import list_images

LETTERS = st.sampled_from("aAbB019..  -_é日ßİ\u0301#'%&+\\")
PART = st.text(LETTERS, min_size=1, max_size=8).filter(lambda name: not name.startswith("."))
#: Names without blanks at the ends, which a list of classes cannot hold, nor be a comment in it.
CLASS = (PART.map(str.strip) | st.sampled_from(["1", "2", "9", "10", "007", "1.0", "-1"])).filter(
    lambda name: name and name[0] not in ".#"
)
ENDING = st.sampled_from([".png", ".PNG", ".JPEG", ".Jpg", ".webp"])
FILES = st.dictionaries(PART, ENDING, min_size=1, max_size=3)
CLASSES = st.dictionaries(CLASS, FILES, min_size=1, max_size=4).filter(
    lambda found: len({unicodedata.normalize("NFC", name) for name in found}) == len(found)
)
FOLDERS = st.lists(PART, max_size=2).map(lambda parts: "".join(f"{part}/" for part in parts))

ONCE = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def place(tmp_path):
    """Return a new folder for each example."""
    numbers = count()
    return lambda: tmp_path / f"{next(numbers)}"


def pictures(classes):
    """Return class, file name and content of each image, no content twice."""
    named = [(wnid, stem + ending) for wnid, files in classes.items() for stem, ending in files.items()]
    return [(wnid, name, f"image {row}".encode() * (row + 1)) for row, (wnid, name) in enumerate(named)]


def write_folders(root, images):
    for wnid, name, content in images:
        (root / "train" / wnid).mkdir(parents=True, exist_ok=True)
        (root / "train" / wnid / name).write_bytes(content)


def write_shards(root, images, before, *, numbered):
    (root / "train").mkdir(parents=True)
    names = sorted({wnid for wnid, _, _ in images}, reverse=True)
    for shard in range(2):
        with tarfile.open(root / "train" / f"{shard}.tar", "w") as tar:
            for row, (wnid, name, content) in enumerate(images[shard::2]):
                path = f"{before}{row if numbered else wnid}/{name}"
                _add(tar, path, content)
                if numbered:
                    _add(tar, f"{path.rpartition('.')[0]}.cls", str(names.index(wnid)).encode())
    if numbered:
        (root / "classes.txt").write_text("\n".join(names), encoding="utf-8")


def _add(tar, path, content):
    info = tarfile.TarInfo(path)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def write_table(root, images, before):
    import datasets

    datasets.disable_progress_bars()
    (root / "data").mkdir(parents=True)
    names = sorted({wnid for wnid, _, _ in images}, reverse=True)
    columns = {"image": datasets.Image(decode=False), "label": datasets.ClassLabel(names=names)}
    rows = {
        "image": [{"bytes": content, "path": f"{before}{name}"} for _, name, content in reversed(images)],
        "label": [names.index(wnid) for wnid, _, _ in reversed(images)],
    }
    table = datasets.Dataset.from_dict(rows, features=datasets.Features(columns))
    table.to_parquet(str(root / "data" / "train-00000-of-00001.parquet"))


def data_of(root, reader):
    """Return the classes, and path, class index and content of each image."""
    spec = ImageFolderSpec(root=root, reader=reader)
    folders = DATASET.prepare(spec, None)
    images = list_images(folders, "train")
    content = []
    for row in range(len(images)):
        with images.open(row) as file:
            content.append(file.read())
    shutil.rmtree(root)
    return folders.wnids, images.paths, images.targets, content


def expected_data(images):
    """Return the same as `data_of`, sorted by Python alone."""
    wnids = tuple(sorted({wnid for wnid, _, _ in images}))
    ordered = sorted(images)
    paths = tuple(f"{wnid}/{name}" for wnid, name, _ in ordered)
    return (
        wnids,
        paths,
        tuple(wnids.index(wnid) for wnid, _, _ in ordered),
        [found for _, _, found in ordered],
    )


@settings(ONCE, max_examples=40)
@given(classes=CLASSES, before=FOLDERS)
def test_shards_are_read_as_folders_are(place, classes, before):
    images = pictures(classes)
    folders, by_number, by_folder = place(), place(), place()
    write_folders(folders, images)
    write_shards(by_number, images, before, numbered=True)
    write_shards(by_folder, images, before, numbered=False)
    hashes = {
        DATASET.fingerprint(ImageFolderSpec(root=root, reader=reader), None)
        for root, reader in ((folders, "folder"), (by_number, "wds"), (by_folder, "wds"))
    }
    assert len(hashes) == 1
    expected = expected_data(images)
    assert data_of(folders, "folder") == expected
    assert data_of(by_number, "wds") == expected
    assert data_of(by_folder, "wds") == expected


@settings(ONCE, max_examples=4)
@given(classes=CLASSES, before=FOLDERS)
def test_tables_are_read_as_folders_are(place, classes, before):
    images, root = pictures(classes), place()
    write_table(root, images, before)
    assert data_of(root, "hfds") == expected_data(images)
