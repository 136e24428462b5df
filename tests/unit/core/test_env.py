import json
import subprocess

import lsbench
from lsbench.core.env import (
    code_label,
    code_version,
    cpu_name,
    git_state,
    package_version,
    provenance,
    source_sha256,
)


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


def test_other_source_has_another_hash_wherever_it_lies(tmp_path):
    def write(folder, text):
        (folder / "deep").mkdir(parents=True, exist_ok=True)
        (folder / "deep" / "code.py").write_text(text)
        (folder / "notes.md").write_text(folder.name)
        return folder

    first, same, other = (write(tmp_path / name, name[0]) for name in ("a1", "a2", "b"))
    assert source_sha256(first) == source_sha256(same) != source_sha256(other)
    (same / "deep" / "code.py").rename(same / "code.py")
    source_sha256.cache_clear()
    assert source_sha256(same) != source_sha256(first)


def test_a_label_of_code_says_what_else_changes_a_number():
    found = code_label(provenance())
    assert found is not None
    assert found.startswith(source_sha256())
    assert "torch" in found
    assert code_label({"torch": "2"}) is None
