import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lsbench.core.registry import DATASETS
from lsbench.corruptions import BENCHMARK, SEVERITIES
from lsbench.data.garments import pack
from lsbench.data.loading.image_list import list_images
from lsbench.robustness import embedded_reference as reference


@pytest.fixture(scope="module")
def photos():
    return reference.reference_photos()


@pytest.fixture
def few():
    """Two photos of every class."""
    return reference.reference_photos(limit=20)


def test_the_shipped_file_holds_every_condition_of_the_benchmark():
    shipped = reference.read_reference()
    assert tuple(shipped["errors"]) == BENCHMARK
    errors = np.array(list(shipped["errors"].values()))
    assert errors.shape == (15, len(SEVERITIES))
    assert errors.min() > 0
    assert errors.max() < 1
    assert shipped["name"] == "knn5"
    assert shipped["setting"]["pack_sha256"] == pack.content_sha256()
    assert errors.mean() > shipped["clean_error"] > 0.1


def test_measuring_again_gives_the_shipped_errors(photos):
    """Clean, and one condition each without draws, of many draws, and of the `original` family."""
    shipped = reference.read_reference()
    conditions = [("pixelate", 4), ("gaussian_noise", 5), ("frost", 1)]
    clean, errors = reference.measure_errors(photos, conditions)
    assert clean == pytest.approx(shipped["clean_error"], abs=reference.TOLERANCE)
    expected = [shipped["errors"][name][severity - 1] for name, severity in conditions]
    assert errors == pytest.approx(expected, abs=reference.TOLERANCE)


def test_the_photos_are_those_that_a_job_on_fashion_sees(photos):
    assert len(photos) == 1000
    assert np.bincount(photos.targets).tolist() == [100] * 10
    fashion = DATASETS.load("fashion")
    folders = fashion.prepare(fashion.spec(train_images=10, val_images=10, test_images=100), None)
    listed = list_images(replace(folders, limit=30), "test")
    taken = reference.reference_photos(100, 30)
    assert (taken.paths, taken.targets) == (listed.paths, listed.targets)
    for row in range(30):
        assert np.array_equal(np.asarray(taken.decode(row)), np.asarray(listed.decode(row)))


def test_the_command_writes_then_confirms(few, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(reference, "reference_photos", lambda: few)
    monkeypatch.setattr(reference, "REFERENCE", tmp_path / "reference.json")
    monkeypatch.setattr(reference, "BENCHMARK", ("contrast", "pixelate"))
    assert reference.main([]) == 0
    assert list(reference.read_reference()["errors"]) == ["contrast", "pixelate"]
    conditions = [("contrast", 2), ("pixelate", 5)]
    found = [reference.read_reference()["errors"][name][severity - 1] for name, severity in conditions]
    assert reference.measure_errors(few, conditions)[1] == found
    assert reference.main(["--check"]) == 0
    assert "contrast           largest difference 0.0000" in capsys.readouterr().out
    content = json.loads((tmp_path / "reference.json").read_text())
    content["errors"]["pixelate"][2] += 0.1
    (tmp_path / "reference.json").write_text(json.dumps(content))
    assert reference.main(["--check", "--only", "contrast"]) == 0
    assert reference.main(["--check"]) == 2
    with pytest.raises(SystemExit):
        reference.main(["--only", "contrast"])


def test_the_reference_looks_at_the_grey_of_what_a_model_sees(few, monkeypatch):
    seen = []
    monkeypatch.setattr(
        reference.neighbours, "predict", lambda images: seen.append(images) or np.zeros(len(images), int)
    )
    clean, errors = reference.measure_errors(few, [("contrast", 1), ("contrast", 5)])
    assert (clean, errors) == (0.9, [0.9, 0.9])
    assert [images.shape for images in seen] == [(20, 32, 32)] * 3
    first = few.decode(0).resize((32, 32), Image.Resampling.BICUBIC).convert("L")
    assert np.array_equal(seen[0][0], np.asarray(first))
