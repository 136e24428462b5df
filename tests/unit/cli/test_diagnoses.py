import os
from contextlib import contextmanager
from importlib.util import spec_from_file_location
from types import SimpleNamespace

import pytest

from lsbench.cli import diagnoses
from lsbench.cli.attempts import LOOPS, Attempt
from lsbench.cli.diagnoses import PACKAGES, examine
from lsbench.core.env import package_version


@pytest.fixture(autouse=True)
def _has_room(monkeypatch):
    """Tests say the same on every machine."""
    monkeypatch.setattr(diagnoses, "free_bytes", lambda folder: 100 * 2**30)
    monkeypatch.setattr(diagnoses, "open_file_limit", lambda: 2**16)


@pytest.fixture(autouse=True)
def tried(monkeypatch):
    """What comes of attempts in another process: all goes well, unless a test says otherwise."""
    results = {name: Attempt(True, "") for name in diagnoses.IMPORTED}
    results[LOOPS] = Attempt(True, "/cache/loops")

    @contextmanager
    def attempts(names):
        assert set(names) == results.keys()
        yield SimpleNamespace(ended=lambda: results)

    monkeypatch.setattr(diagnoses, "attempts", attempts)
    return results


def found(results, data_root=None):
    return {finding.what: finding for finding in examine(results, data_root)}


def test_it_shows_packages_machine_and_data(tmp_path):
    findings = found(tmp_path / "results")
    for name in PACKAGES:
        assert (findings[name].found, findings[name].state) == (package_version(name), "ok")
    assert f"usable cores of {os.cpu_count()}" in findings["CPU"].found
    assert "GiB free" in findings["memory"].found
    assert any(what.startswith("GPU") for what in findings)
    for what in ("shared memory", "open files", "ports", "Ray's folder", "cache", "compiled loops"):
        assert findings[what].state == "ok", findings[what]
    assert not (tmp_path / "results").exists()


def test_data_is_absent_until_it_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))
    finding = found(tmp_path)["data set fashion"]
    assert (finding.state, finding.found) == ("absent", "made in the cache on first use")
    finding = found(tmp_path)["data set imagenet"]
    assert (finding.state, finding.found) == ("absent", "no folder given; use --data DIR or LSBENCH_DATA")
    (tmp_path / "imagenet-a").mkdir()
    findings = found(tmp_path, data_root=tmp_path)
    for name in ("imagenet", "imagenet_c", "imagenet_v2"):
        assert (findings[f"data set {name}"].state, str(tmp_path) in findings[f"data set {name}"].found) == (
            "absent",
            True,
        )
    assert findings["data set imagenet_a"].state == "wrong"


@pytest.mark.parametrize("name", ["taken", "taken/below", "taken/below/it"])
def test_a_file_in_the_place_of_results_is_wrong(name, tmp_path):
    (tmp_path / "taken").touch()
    finding = diagnoses._results(tmp_path / name)
    assert (finding.state, f"{tmp_path / 'taken'} is a file; use --results DIR" in finding.found) == (
        "wrong",
        True,
    )


def test_generated_data_in_the_cache_is_ok(garments, monkeypatch):
    monkeypatch.setenv("LSBENCH_CACHE", str(garments.root.parents[1]))
    from lsbench.data.datasets.fashion import DATASET, FashionSpec

    spec = FashionSpec(train_images=200, val_images=50, test_images=100)
    finding = diagnoses._dataset("fashion", DATASET, spec, None)
    assert finding.state == "ok"
    assert finding.found.startswith("fingerprint ")


def test_each_limit_that_is_too_low_is_wrong_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(diagnoses, "free_bytes", lambda folder: 64 * 2**20)
    monkeypatch.setattr(diagnoses, "open_file_limit", lambda: 256)
    monkeypatch.setattr(diagnoses, "free_ports", lambda wanted: 3)
    monkeypatch.setattr(diagnoses, "quota_cpus", lambda: 1.5)
    monkeypatch.setattr(diagnoses, "try_file_system", lambda folder: (["no file locks (x)"], []))
    monkeypatch.setenv("TMPDIR", "/tmp/" + 100 * "x")
    findings = found(tmp_path)
    assert "1.5 by its cgroup" in findings["CPU"].found
    for what, cure in {
        "shared memory": "--shm-size",
        "open files": "ulimit -n",
        "ports": "loopback",
        "Ray's folder": "RAY_TMPDIR",
        f"results in {tmp_path}": "--results DIR",
        "cache": "LSBENCH_CACHE",
    }.items():
        assert findings[what].state == "wrong"
        assert cure in findings[what].found


def test_a_file_system_without_permissions_is_told_and_good_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(diagnoses, "try_file_system", lambda folder: ([], ["no permissions (chmod)"]))
    finding = found(tmp_path)[f"results in {tmp_path}"]
    assert (finding.state, finding.found) == ("ok", "100.0 GiB free, no permissions (chmod)")


def test_a_cache_that_cannot_be_used_is_wrong(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "file"))
    findings = found(tmp_path)
    assert findings["cache"].state == "wrong"
    assert findings["data set fashion"].state == "wrong"


def test_loops_that_cannot_be_kept_are_wrong(tmp_path, tried):
    tried[LOOPS] = Attempt(False, "cannot cache function: no locator available")
    finding = found(tmp_path)["compiled loops"]
    assert finding.state == "wrong"
    assert finding.found.endswith("no locator available; set LSBENCH_CACHE")


def test_a_package_that_cannot_be_imported_is_wrong(tmp_path, tried):
    assert not [what for what in found(tmp_path) if what.startswith("import ")]
    tried["ray"] = Attempt(False, "ImportError: no msgpack")
    finding = found(tmp_path)["import ray"]
    assert (finding.state, finding.found) == ("wrong", "ImportError: no msgpack")


def test_operators_that_torch_cannot_load_are_wrong(tmp_path, monkeypatch):
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "_C_stable.so").write_bytes(b"no library")
    spec = spec_from_file_location("torchvision", package / "__init__.py")
    monkeypatch.setattr(diagnoses, "find_spec", lambda name: spec)
    finding = found(tmp_path)["import torchvision"]
    assert finding.state == "wrong"
    assert "its compiled operators are for another torch than" in finding.found


def test_no_shared_memory_is_absent(tmp_path, monkeypatch):
    monkeypatch.setattr(diagnoses, "free_bytes", lambda folder: None)
    assert found(tmp_path)["shared memory"].state == "absent"


def test_a_missing_package_is_wrong(tmp_path, monkeypatch):
    monkeypatch.setattr(diagnoses, "PACKAGES", ("torch", "no-such-package"))
    findings = found(tmp_path)
    assert findings["torch"].state == "ok"
    assert findings["no-such-package"].state == "wrong"
    assert findings["no-such-package"].found == "not installed; pip install no-such-package"
