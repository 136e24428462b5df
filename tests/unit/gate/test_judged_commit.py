import subprocess

from lsbench.core.registry import PACKAGE_ROOT
from lsbench.gate.judged_commit import judged_commit


def git(folder, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    command = ["git", "-C", str(folder), *identity, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_it_is_that_of_the_repository_around_the_working_directory(tmp_path, monkeypatch):
    root = tmp_path / "acme"
    (root / "deep").mkdir(parents=True)
    git(root, "init", "-q")
    (root / "file").write_text("one")
    git(root, "add", "file")
    git(root, "commit", "-q", "-m", "first")
    commit = git(root, "rev-parse", "HEAD")[:12]
    monkeypatch.chdir(root / "deep")
    assert judged_commit(environ={"GITHUB_SHA": "f" * 40}) == f"{commit} of acme"
    (root / "file").write_text("two")
    assert judged_commit(environ={}) == f"{commit} of acme with changes"


def test_a_pipeline_without_git_knows_its_commit(tmp_path):
    assert judged_commit(tmp_path, {"CI_COMMIT_SHA": "a" * 40}) == "a" * 12
    assert judged_commit(tmp_path, {}) is None


def test_lsbenchs_own_commit_is_told_once():
    assert judged_commit(PACKAGE_ROOT, {}) is None
