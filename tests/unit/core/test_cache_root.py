import getpass
import os
import stat
from pathlib import Path

import pytest

from lsbench.core.cache_root import OTHERS, cache_root, is_writable, settle_home
from lsbench.core.errors import DataError

NAMES = ("LSBENCH_CACHE", "XDG_CACHE_HOME", "HOME", "USER", "LOGNAME", "LNAME", "USERNAME", *OTHERS)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A process without a home folder; its environment and folder for temporary files are the test's own."""
    for name in dict.fromkeys(NAMES):
        monkeypatch.setenv(name, "")  # so that it is put back whatever happens to it
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "no" / "home"))
    (tmp_path / "no").write_text("a file")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def unknown_user(monkeypatch):
    """A user id that the system does not know, without HOME."""

    def refuse(*_):
        raise KeyError("uid not found")

    monkeypatch.setattr("pwd.getpwuid", refuse)
    monkeypatch.delenv("HOME")


def fallback(place):
    return place / f"lsbench-{os.getuid()}"


def test_the_environment_names_the_cache(place, monkeypatch):
    monkeypatch.setenv("LSBENCH_CACHE", str(place / "deep" / "cache"))
    assert cache_root() == place / "deep" / "cache"
    assert cache_root().is_dir()


def test_a_cache_that_cannot_be_written_is_an_error(place, monkeypatch):
    monkeypatch.setenv("LSBENCH_CACHE", str(place / "no"))
    with pytest.raises(DataError, match="LSBENCH_CACHE"):
        cache_root()


def test_the_folder_of_all_caches_and_then_the_home_folder_have_it(place, monkeypatch):
    monkeypatch.setenv("HOME", str(place / "home"))
    assert cache_root() == place / "home" / ".cache" / "lsbench"
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "caches"))
    assert cache_root() == place / "caches" / "lsbench"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which its standard forbids
    assert cache_root() == place / "home" / ".cache" / "lsbench"


def test_without_a_writable_home_a_private_temporary_folder_is_used(place):
    assert cache_root() == fallback(place)
    assert stat.S_IMODE(fallback(place).stat().st_mode) == 0o700


@pytest.mark.usefixtures("unknown_user")
def test_an_unknown_user_without_home_gets_the_temporary_folder_and_no_tilde(place, monkeypatch):
    assert cache_root() == fallback(place)
    monkeypatch.setenv("LSBENCH_CACHE", "~/cache")
    with pytest.raises(DataError, match="LSBENCH_CACHE"):
        cache_root()
    assert not (place / "~").exists()


def test_a_temporary_folder_that_others_may_have_prepared_is_refused(place, monkeypatch):
    other = place / "other"
    other.mkdir()
    fallback(place).symlink_to(other)
    with pytest.raises(DataError, match="belongs to another user"):
        cache_root()
    fallback(place).unlink()
    fallback(place).write_text("")
    with pytest.raises(DataError, match="LSBENCH_CACHE"):
        cache_root()
    fallback(place).unlink()
    fallback(place).mkdir(mode=0o755)
    fallback(place).chmod(0o777)
    assert cache_root() == fallback(place)
    assert stat.S_IMODE(fallback(place).stat().st_mode) == 0o700
    fallback(place).chmod(0o777)
    monkeypatch.setattr("lsbench.core.cache_root.set_mode", lambda *_: None)  # a file system without modes
    with pytest.raises(DataError, match="written by other users"):
        cache_root()


def test_no_folder_for_temporary_files_is_one_line(monkeypatch):
    def refuse():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", refuse)
    with pytest.raises(DataError, match="set LSBENCH_CACHE"):
        cache_root()


def test_a_usable_home_is_left_alone(place, monkeypatch):
    home = place / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    before = dict(os.environ)
    settle_home()
    assert dict(os.environ) == before
    assert list(home.iterdir()) == []


def test_a_chosen_cache_keeps_compiled_gpu_programs_too(place, monkeypatch):
    home = place / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LSBENCH_CACHE", str(place / "shared"))
    settle_home()
    assert os.environ["TRITON_CACHE_DIR"] == str(place / "shared" / "triton")
    monkeypatch.setenv("TRITON_CACHE_DIR", "chosen")
    settle_home()
    assert os.environ["TRITON_CACHE_DIR"] == "chosen"


@pytest.mark.usefixtures("unknown_user")
def test_without_a_home_everything_goes_below_the_cache(place, monkeypatch):
    monkeypatch.setenv("MPLCONFIGDIR", "/chosen")
    settle_home()
    root = fallback(place)
    assert os.environ["LSBENCH_CACHE"] == str(root)
    assert Path.home() == root / "home"
    assert getpass.getuser() == f"user-{os.getuid()}"
    assert os.environ["MPLCONFIGDIR"] == "/chosen"
    assert Path(os.environ["XDG_CACHE_HOME"]).is_relative_to(root)
    assert cache_root() == root
    assert {path.name for path in place.iterdir()} == {"no", root.name}
    settle_home()
    assert Path.home() == root / "home"


def test_a_home_that_can_only_be_read_stays_as_it_may_hold_logins(place, monkeypatch):
    home = place / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(os, "access", lambda *_: False)
    settle_home()
    assert os.environ["HOME"] == str(home)
    assert Path(os.environ["TRITON_CACHE_DIR"]).is_relative_to(cache_root())


def test_the_root_folder_is_no_home_of_someone_who_cannot_write_it(place, monkeypatch):
    monkeypatch.setenv("HOME", "/")
    monkeypatch.setenv("LSBENCH_CACHE", "cache")
    monkeypatch.setattr(os, "access", lambda *_: False)
    settle_home()
    assert os.environ["LSBENCH_CACHE"] == str(place / "cache")
    assert os.environ["HOME"] == str(place / "cache" / "home")


def test_without_any_place_the_environment_stays(place, monkeypatch):
    monkeypatch.setenv("LSBENCH_CACHE", str(place / "no"))
    before = dict(os.environ)
    settle_home()
    assert {**before, "USER": ""} == {**dict(os.environ), "USER": ""}


def test_a_folder_is_tried_by_writing(place):
    assert is_writable(place / "new")
    assert not is_writable(place / "no")
    assert list((place / "new").iterdir()) == []
