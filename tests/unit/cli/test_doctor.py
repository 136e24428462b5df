from lsbench.cli.doctor import PACKAGES, examine
from lsbench.core.env import package_version


def found(results, data_root=None):
    return {finding.what: finding for finding in examine(results, data_root)}


def test_it_shows_packages_machine_and_data(tmp_path):
    findings = found(tmp_path / "results")
    for name in PACKAGES:
        assert findings[name].found == package_version(name)
        assert findings[name].is_good
    assert "usable cores" in findings["CPU"].found
    assert "GiB free" in findings["memory"].found
    assert findings["data set fashion"].found.startswith("ready, fingerprint ")
    assert any(what.startswith("GPU") for what in findings)
    assert not (tmp_path / "results").exists()


def test_data_that_is_not_there_is_no_fault_of_the_machine(tmp_path):
    finding = found(tmp_path, data_root=tmp_path)["data set imagenet"]
    assert finding.found.startswith("none here ")
    assert str(tmp_path) in finding.found
    assert finding.is_good


def test_a_results_folder_that_does_not_exist_is_judged_by_what_is_above_it(tmp_path):
    finding = found(tmp_path / "a" / "b")[f"results in {tmp_path / 'a' / 'b'}"]
    assert "GiB free" in finding.found


def test_a_missing_package_is_bad(tmp_path, monkeypatch):
    monkeypatch.setattr("lsbench.cli.doctor.PACKAGES", ("torch", "no-such-package"))
    findings = found(tmp_path)
    assert findings["torch"].is_good
    assert (findings["no-such-package"].found, findings["no-such-package"].is_good) == (
        "not installed",
        False,
    )
