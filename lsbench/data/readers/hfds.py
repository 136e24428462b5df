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
from lsbench.data.readers._left_out import LITTER, LeftOut, litter_in
from lsbench.data.readers._links import require_reachable

INSTALL = 'expected the package datasets for reader: hfds, found none; pip install "lsbench[hf]"'
PART = re.compile(r"-(\d{5})-of-(\d{5})(?!\d)")
WNID = re.compile(r"(?<![^\W_])n\d{8}(?![^\W_])")


class HfdsReader:
    """Images in Arrow tables.

    datasets copies parquet files once into Arrow files that can be read by row, all splits together, into
    lsbench's cache; the copy takes the same disk space again.
    """

    layout = "parquet files <root>/data/<split>-*.parquet or another layout that datasets.load_dataset knows"

    def find_splits(self, root: Path, names: Sequence[str]) -> dict[str, Path]:
        """Return for each split ``<root>/<its name in datasets>``."""
        _require_links(root)
        there = _data_files(root) if root.is_dir() else {}
        found = {}
        for name in names:
            for word in SPLIT_WORDS.get(name, (name,)):
                if name not in found and word in there:
                    found[name] = root / word
        return found

    def class_names(self, place: Path, numbered: Sequence[str] | None) -> list[str]:
        """Return the names of the classes that have rows, sorted; reads the labels and the file names."""
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
        litter = _is_litter(_paths(reader), place.parent).to_pylist()
        class_to_idx = {wnid: index for index, wnid in enumerate(wnids)}
        targets = [class_to_idx.get(name, -1) for name in names]
        stored = []
        for row, (number, file) in enumerate(zip(_column(reader, label), files, strict=True)):
            if litter[row]:
                continue
            _check_wnid(file, names[number], place)
            if targets[number] >= 0:
                stored.append(StoredImage(targets[number], file, f"{row:09d}", row))
        return OpenedSplit(reader, stored)

    def left_out(self, place: Path) -> LeftOut:
        """Return counts of the rows whose files are litter."""
        paths = _paths(_open(place))
        found = LeftOut()
        for path in paths.filter(_is_litter(paths, place.parent)).to_pylist():
            found.add_litter(litter_in(_below(path, place.parent)) or path)
        return found

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


def _require_links(root: Path) -> None:
    """Raise a DataError if a link that datasets would pass over leads nowhere."""
    for folder in (root, root / "data"):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if litter_in(path.name) is None:
                require_reachable(path)


def _data_files(root: Path) -> dict[str, list[Path]]:
    files = _builder(root).config.data_files or {}
    found = {str(split): [Path(file) for file in sorted(paths)] for split, paths in files.items()}
    for split, paths in found.items():
        _check_parts(split, paths)
    return found


def _check_parts(split: str, files: Sequence[Path]) -> None:
    """Raise a DataError if a file of a split in several parts is missing."""
    parts = [(part, file) for file in files if (part := PART.search(file.name))]
    numbers = {int(part[1]) for part, _ in parts}
    of = max((int(part[2]) for part, _ in parts), default=0)
    if parts and (absent := sorted(set(range(of)) - numbers)):
        raise DataError(
            f"expected {of} files of split '{split}' in {parts[0][1].parent}, found {len(numbers)}: number "
            f"{absent[0]:05d} is missing; copy it again"
        )


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
    if numbered is None or set(names) & set(numbered):
        return column, names
    if len(numbered) != len(names):
        raise DataError(
            f"expected names for the {len(names)} classes of split '{place.name}' in {place.parent} "
            f"({names[0]}, ...), found {len(numbered)} ({numbered[0]}, ...); complete the list of classes"
        )
    return column, numbered


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
    """Return the numbers of the classes that have rows which are no litter."""
    files = _data_files(place.parent)[place.name]
    found: set[int | None] = set()
    if all(file.suffix == ".parquet" for file in files):
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        _check_names(place, files, label)
        image = _only(_features(place), _datasets().Image, "image", place)
        for file in files:
            table = pq.ParquetFile(file).read(columns=[label, f"{image}.path"])
            if image in table.column_names:  # else its rows are bytes without names
                is_litter = _is_litter(pc.struct_field(table.column(image), "path"), place.parent)
                table = table.filter(pc.invert(is_litter))
            found |= set(table.column(label).unique().to_pylist())
    else:
        import pyarrow.compute as pc

        reader = _open(place)
        is_image = pc.invert(_is_litter(_paths(reader), place.parent))
        found = set(reader.dataset.data.column(label).filter(is_image).unique().to_pylist())
    known = {number for number in found if number is not None and 0 <= number < num_classes}
    if strange := found - known:
        raise DataError(
            f"expected labels from 0 to {num_classes - 1} in split '{place.name}' of {place.parent}, found "
            f"{strange.pop()}; a split without labels cannot be used"
        )
    return known


def _check_names(place: Path, files: Sequence[Path], label: str) -> None:
    """Raise a DataError if the parquet files of a split name their classes differently.

    datasets reads all of them with the names of the first.
    """
    import pyarrow.parquet as pq

    first: Any = None
    for file in files:
        feature = _datasets().Features.from_arrow_schema(pq.read_schema(file)).get(label)
        names = getattr(feature, "names", None)
        first = first or names
        if names != first:
            raise DataError(
                f"expected the same classes in all files of split '{place.name}', found others in column "
                f"'{label}' of {file} than of {files[0]}; write them with one ClassLabel"
            )


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
        self._root = place.parent

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, row: int) -> tuple[BinaryIO, None]:
        """Return an image's file, opened; its class is in the table's own column.

        Raises:
            OSError: If the row holds no image, or names a file that is missing below the data set's root.
        """
        image = self.dataset[row][self.image_key] or {"bytes": None, "path": None}
        if image["bytes"]:
            return io.BytesIO(image["bytes"]), None
        if not image["path"]:
            raise OSError("a row without an image")
        return open(self._root / image["path"], "rb"), None


def _column(reader: Any, name: str) -> list[Any]:
    values: list[Any] = reader.dataset.data.column(name).to_pylist()
    return values


def _paths(reader: Any) -> Any:
    """Return the column of the paths of the images' files; null where the table has none."""
    import pyarrow.compute as pc

    return pc.struct_field(reader.dataset.data.column(reader.image_key), "path")


def _below(path: str, root: Path) -> str:
    return path.removeprefix(f"{root}/")


def _is_litter(paths: Any, root: Path) -> Any:
    """Return for each path whether other programs left the file among the images below a root."""
    import pyarrow.compute as pc

    names = "|".join(re.escape(name) for name in sorted(LITTER))
    below = pc.replace_substring_regex(paths, f"^{re.escape(str(root))}/", "")
    pattern = rf"(?i)(^|/)((\.[^./]|\.\.[^/])[^/]*|{names})(/|$)"
    return pc.fill_null(pc.match_substring_regex(below, pattern), False)


def _file_names(reader: Any, digits: int) -> list[str]:
    """Return the file name of every row, or its number if the table has none."""
    paths = _paths(reader).to_pylist()
    return [f"{row:0{digits}d}" if not path else Path(path).name for row, path in enumerate(paths)]


def _check_wnid(file: str, name: str, place: Path) -> None:
    """Raise a DataError if the WordNet ids in file names contradict the labels."""
    if WNID.fullmatch(name) and (said := WNID.findall(file)) and name not in said:
        raise DataError(
            f"expected labels in the order of the sorted WordNet ids in split '{place.name}' of "
            f"{place.parent}, found {file} with the label of {name}"
        )


READER = HfdsReader()
