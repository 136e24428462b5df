"""Local folders that Hugging Face datasets opens: parquet files ``<root>/data/<split>-*.parquet``.

Splits are found by the rules of datasets, which call the validation split ``validation``. One column holds
images, one is a ``ClassLabel``; if there are several, they must be called ``image`` and ``label``.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from lsbench.core.cache_root import cache_root
from lsbench.core.errors import DataError
from lsbench.data.readers import SPLIT_WORDS, OpenedSplit, StoredImage
from lsbench.data.readers._fingerprint import fingerprint_lines

INSTALL = 'expected the package datasets for reader: hfds, found none; pip install "lsbench[hf]"'
WNID = re.compile(r"(?<![^\W_])n\d{8}(?![^\W_])")


class HfdsReader:
    """Images in Arrow tables.

    datasets copies parquet files once into Arrow files that can be read by row, all splits together, into
    lsbench's cache; the copy takes the same disk space again.
    """

    layout = "parquet files <root>/data/<split>-*.parquet or another layout that datasets.load_dataset knows"

    def find_splits(self, root: Path, names: Sequence[str]) -> dict[str, Path]:
        """Return for each split ``<root>/<its name in datasets>``."""
        there = _data_files(root) if root.is_dir() else {}
        found = {}
        for name in names:
            for word in SPLIT_WORDS.get(name, (name,)):
                if name not in found and word in there:
                    found[name] = root / word
        return found

    def class_names(self, place: Path, numbered: Sequence[str] | None) -> list[str]:
        """Return the names of the classes that have rows, sorted; reads the label column."""
        label, names = _label_column(place, numbered)
        return sorted({names[number] for number in _present(place, label, len(names))})

    def fingerprint(self, splits: Mapping[str, Path], numbered: Sequence[str] | None) -> str:
        """Return a hash over the class names and the names and sizes of the files.

        It differs from that of the same images in class folders: image sizes are known only after reading all
        images.
        """
        lines = []
        for split, place in sorted(splits.items()):
            lines += [f"{split}/{name}\n" for name in _label_column(place, numbered)[1]]
            for file in _data_files(place.parent)[place.name]:
                lines.append(f"{split}/{file.relative_to(place.parent)}\0{file.stat().st_size}\n")
        return fingerprint_lines(lines)

    def open_split(self, place: Path, wnids: Sequence[str], numbered: Sequence[str] | None) -> OpenedSplit:
        """Return the images of the table."""
        label, names = _label_column(place, numbered)
        reader = _open(place)
        files = _file_names(reader, len(str(len(reader))))
        class_to_idx = {wnid: index for index, wnid in enumerate(wnids)}
        targets = [class_to_idx.get(name, -1) for name in names]
        stored = []
        for row, (number, file) in enumerate(zip(_column(reader, label), files, strict=True)):
            _check_wnid(file, names[number], place)
            if targets[number] >= 0:
                stored.append(StoredImage(targets[number], file, f"{row:09d}", row))
        return OpenedSplit(reader, stored)

    def where(self, place: Path, path: str, row: int, reader: Any) -> str:
        """Return the image's row in the split."""
        return f"row {row} ({path}) of split '{place.name}' in {place.parent}"


def _datasets() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise DataError(INSTALL) from error
    datasets.disable_progress_bars()
    return datasets


def _hf_cache() -> str:
    return str(cache_root() / "huggingface")


def _builder(root: Path) -> Any:
    datasets = _datasets()
    for name in {root.name, root.absolute().name, root.resolve().name} - {""}:
        if (root / f"{name}.py").exists():
            raise DataError(
                f"{root / name}.py: a loading script, which lsbench never runs; remove it from the folder, "
                "and save the data as parquet files"
            )
    try:
        return datasets.load_dataset_builder(str(root), cache_dir=_hf_cache())
    except (FileNotFoundError, ValueError) as error:  # raised for a folder without data
        raise DataError(
            f"expected {HfdsReader.layout} in {root}, found nothing that datasets can open: "
            f"{str(error).splitlines()[0]}"
        ) from error


def _data_files(root: Path) -> dict[str, list[Path]]:
    files = _builder(root).config.data_files or {}
    return {str(split): [Path(file) for file in sorted(found)] for split, found in files.items()}


def _features(place: Path) -> Any:
    """Return the columns of a split, without converting parquet files."""
    builder = _builder(place.parent)
    if builder.info.features is not None:
        return builder.info.features
    if (first := _data_files(place.parent)[place.name][0]).suffix == ".parquet":
        import pyarrow.parquet as pq

        return _datasets().Features.from_arrow_schema(pq.read_schema(first))
    loaded = _datasets().load_dataset(str(place.parent), split=place.name, cache_dir=_hf_cache())
    return loaded.features


def _label_column(place: Path, numbered: Sequence[str] | None) -> tuple[str, Sequence[str]]:
    """Return the label column and the class name of each number.

    The published ImageNet tables have English names in the order of the WordNet ids.
    """
    features = _features(place)
    column = _only(features, _datasets().ClassLabel, "label", place)
    names = list(features[column].names)
    if numbered is not None and len(numbered) == len(names) and not set(names) & set(numbered):
        return column, numbered
    return column, names


def _only(features: Any, kind: type, usual: str, place: Path) -> str:
    columns = [str(name) for name, feature in features.items() if isinstance(feature, kind)]
    if usual in columns:
        return usual
    if len(columns) != 1:
        raise DataError(
            f"expected one column of type {kind.__name__} in split '{place.name}' of {place.parent}, found "
            f"{', '.join(columns) or 'none'} among {', '.join(features)}; name it '{usual}' or cast it"
        )
    return columns[0]


def _present(place: Path, label: str, num_classes: int) -> set[int]:
    """Return the numbers of the classes that have rows."""
    files = _data_files(place.parent)[place.name]
    found: set[int | None] = set()
    if all(file.suffix == ".parquet" for file in files):
        import pyarrow.parquet as pq

        for file in files:
            found |= set(pq.read_table(file, columns=[label]).column(label).unique().to_pylist())
    else:
        found = set(_open(place).dataset.unique(label))
    known = {number for number in found if number is not None and 0 <= number < num_classes}
    if strange := found - known:
        raise DataError(
            f"expected labels from 0 to {num_classes - 1} in split '{place.name}' of {place.parent}, found "
            f"{strange.pop()}; a split without labels cannot be used"
        )
    return known


def _open(place: Path) -> Any:
    return Rows(place, _only(_features(place), _datasets().Image, "image", place))


class Rows:
    """Images of a table by row.

    Attributes:
        dataset: The split; its images are not decoded.
        image_key: The column of the images.
    """

    def __init__(self, place: Path, image_key: str) -> None:
        datasets = _datasets()
        loaded = datasets.load_dataset(str(place.parent), split=place.name, cache_dir=_hf_cache())
        self.dataset = loaded.cast_column(image_key, datasets.Image(decode=False))
        self.image_key = image_key

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, row: int) -> tuple[BinaryIO, None]:
        """Return an image's file, opened; its class is in the table's own column."""
        image = self.dataset[row][self.image_key]
        return (io.BytesIO(image["bytes"]) if image["bytes"] else open(image["path"], "rb")), None


def _column(reader: Any, name: str) -> list[Any]:
    values: list[Any] = reader.dataset.data.column(name).to_pylist()
    return values


def _file_names(reader: Any, digits: int) -> list[str]:
    """Return the file name of every row, or its number if the table has none."""
    import pyarrow.compute as pc

    paths = pc.struct_field(reader.dataset.data.column(reader.image_key), "path").to_pylist()
    return [f"{row:0{digits}d}" if not path else Path(path).name for row, path in enumerate(paths)]


def _check_wnid(file: str, name: str, place: Path) -> None:
    """Raise a DataError if the WordNet ids in file names contradict the labels."""
    if WNID.fullmatch(name) and (said := WNID.findall(file)) and name not in said:
        raise DataError(
            f"expected labels in the order of the sorted WordNet ids in split '{place.name}' of "
            f"{place.parent}, found {file} with the label of {name}"
        )


READER = HfdsReader()
