"""The ImageNet preset of the shipped suite on a generated folder with the 1,000 real WordNet ids."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lsbench.data.imagenet.ilsvrc import ilsvrc_wnids

from .conftest import Cli, read_lines

SMALL = ("jobs.train.batch_size=4", "jobs.evaluate.batch_size=4", "jobs.profile.batch_size=2")
RUN = ("run", "ablations", "--preset", "imagenet", "--limit", "2", "--scheduler", "inline")


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One noise picture per class and split."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for wnid in ilsvrc_wnids():
            folder = root / "imagenet" / split / wnid
            folder.mkdir(parents=True)
            Image.fromarray(rng.integers(0, 255, (40, 48, 3), dtype=np.uint8)).save(folder / "0.jpg")
    return root


def test_two_steps_on_a_row_end_in_a_table(warm_cli: Cli, data_root: Path) -> None:
    sets = [word for text in SMALL for word in ("--set", text)]

    done = warm_cli.run(*RUN, "--only", "involution", *sets, LSBENCH_DATA=str(data_root))

    assert done.returncode == 0, done.stderr
    root = next((warm_cli.folder / "results" / "ablations").iterdir())
    assert "limit=2" in root.name
    by_metric = {record["metric"]: record for record in read_lines(root / "records.jsonl")}
    assert by_metric["top1"]["n"] == 8
    assert by_metric["top1"]["dataset"] == "imagenet"
    assert "res=224" in by_metric["top1"]["protocol"]
    assert by_metric["params"]["value"] > 11e6
    assert len(read_lines(root / "jobs.jsonl")) == 3
    manifest = json.loads((root / "manifest.json").read_text())
    assert len(manifest["jobs"]) == 21
    assert "waiting" in done.stdout
    assert "not comparable" in done.stdout


def test_a_missing_data_folder_is_one_clear_line(warm_cli: Cli) -> None:
    done = warm_cli.run(*RUN, "--data", "nowhere")

    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "nowhere" in done.stderr
    assert "imagenet" in done.stderr
    assert not (warm_cli.folder / "results").exists() or not list(
        (warm_cli.folder / "results").rglob("result.json")
    )


@pytest.mark.slow
def test_the_papers_recipe_sees_the_same_images_through_every_reader(
    cli: Cli, data_root: Path, store_images: Callable[..., Path]
) -> None:
    sets = [word for text in ("jobs.train.batch_size=4",) for word in ("--set", text)]
    losses = {}
    for reader in ("folder", "wds", "hfds"):
        root = data_root / "imagenet" if reader == "folder" else cli.folder / reader
        if reader != "folder":
            store_images(data_root / "imagenet", root, reader)
        where = ["--set", f"defaults.dataset.reader={reader}", "--set", f"defaults.dataset.root={root}"]

        done = cli.run(*RUN, "--only", "identity/train", *sets, *where, "--results", reader)

        assert done.returncode in (0, 3), done.stderr
        (records,) = (cli.folder / reader).rglob("records.jsonl")
        losses[reader] = [r["value"] for r in read_lines(records) if r["metric"] == "train_loss"]
    assert len(losses["folder"]) == 2
    assert losses["folder"] == losses["wds"] == losses["hfds"]
