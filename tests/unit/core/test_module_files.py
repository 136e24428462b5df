import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lsbench.core import module_files
from lsbench.core.module_files import facts_of, forget_changed, kept_while_files_stay, module_file

#: Long ago, so that the file has surely not been written since.
OLD = time.time_ns() - 10**12


@pytest.fixture
def site(install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that was installed long ago."""
    made = install({"acme.__init__": "", "acme.mixer": "x = 1", "acme.inner.__init__": ""}, {})
    # A time of change cannot be set, so the files count as old.
    monkeypatch.setattr(module_files, "COARSE_NS", -(10**12))
    forget_changed()
    return made


def test_modules_are_looked_for_afresh_on_demand(site):
    assert module_file("acme.new") is None
    (site / "acme" / "new.py").write_text("")
    assert module_file("acme.new") is None
    forget_changed()
    assert module_file("acme.new") == site / "acme" / "new.py"
    (site / "acme" / "new.py").unlink()
    forget_changed()
    assert module_file("acme.new") is None


def edit(site: Path) -> None:
    (site / "acme/mixer.py").write_text("x = 2")


def edit_in_place(site: Path) -> None:
    """With the time of before, as a copy with times does."""
    file = site / "acme/mixer.py"
    before = file.stat()
    file.write_text("x = 2")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(site: Path) -> None:
    (site / "acme/other.py").write_text("x = 2")
    (site / "acme/other.py").replace(site / "acme/mixer.py")


def add(site: Path) -> None:
    (site / "acme/inner/more.py").write_text("")


def remove(site: Path) -> None:
    (site / "acme/inner/__init__.py").unlink()


def turn_into_a_package(site: Path) -> None:
    (site / "acme/mixer.py").unlink()
    (site / "acme/mixer").mkdir()
    (site / "acme/mixer/__init__.py").write_text("")


def turn_into_a_folder(site: Path) -> None:
    (site / "acme/mixer.py").unlink()
    (site / "acme/mixer.py").mkdir()


def install_another(site: Path) -> None:
    (site / "found_later.py").write_text("")


def change_the_path(site: Path) -> None:
    sys.path.insert(0, str(site / "acme"))


CHANGES = (
    *(edit, edit_in_place, replace, add, remove, turn_into_a_package, turn_into_a_folder, install_another),
    change_the_path,
)


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_everything_is_looked_at_again_and_else_nothing(site, monkeypatch, change):
    monkeypatch.setattr(sys, "path", [*sys.path])
    computed = []

    @kept_while_files_stay
    def look() -> None:
        computed.append([module_file(name) for name in ("acme.mixer", "acme.inner.more", "found_later")])
        computed[-1].append(facts_of(site / "acme/__init__.py"))

    for _ in range(3):
        forget_changed()
        look()
    assert len(computed) == 1
    change(site)
    forget_changed()
    look()
    assert len(computed) == 2
    forget_changed()
    look()
    assert len(computed) == 2
    module_files._caches.pop()


def test_what_was_written_a_moment_ago_is_never_taken_for_unchanged(site, monkeypatch):
    """Within a tick of its clock, a file system may give a second edit the time of the first."""
    monkeypatch.setattr(module_files, "COARSE_NS", 3 * 10**9)
    file = site / "acme/mixer.py"
    file.write_text("x = 3")
    forget_changed()
    assert module_file("acme.mixer") == file
    before = facts_of(file)
    monkeypatch.setattr(module_files, "_signature", lambda file: (0, 0, 0, 0))
    file.write_text("x = 4")
    forget_changed()
    assert facts_of(file) != before
