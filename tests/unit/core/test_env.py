import json
import subprocess

import lsbench
from lsbench.core.env import code_version, cpu_name, git_state, package_version, provenance


def test_versions_come_without_importing():
    import numpy

    assert package_version("numpy") == numpy.__version__
    assert package_version("no-such-package-anywhere") is None


def test_an_installed_package_has_no_commit(tmp_path):
    assert git_state(tmp_path / "lsbench") == {"git_sha": None, "git_dirty": None}


def test_the_state_is_that_of_the_checkout_asked_about(tmp_path):
    def git(*words):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-q", "-m", "first")
    expected = {"git_sha": git("rev-parse", "HEAD"), "git_dirty": False}
    assert git_state(tmp_path / "clean") == expected
    (tmp_path / "file").write_text("two")
    assert git_state(tmp_path / "dirty") == {**expected, "git_dirty": True}


def test_provenance_is_plain_and_says_which_code():
    found = provenance()
    assert json.loads(json.dumps(found)) == found
    assert found["lsbench"] == lsbench.__version__
    assert found.items() >= code_version().items()
    assert found["cpu"] == cpu_name() != ""
