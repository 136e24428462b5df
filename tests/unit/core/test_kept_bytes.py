import os

import pytest

from lsbench.core import kept_bytes as module
from lsbench.core.kept_bytes import kept_bytes


class Maker:
    def __init__(self, content=b"made\n\x00"):
        self.content, self.calls = content, 0

    def __call__(self):
        self.calls += 1
        return self.content


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path))
    return tmp_path


def test_they_are_made_once_and_the_seconds_are_those_of_the_making():
    make = Maker()
    first, again = kept_bytes("kind", "a", make), kept_bytes("kind", "a", make)
    assert first == again
    assert first[0] == make.content
    assert first[1] > 0
    assert make.calls == 1


def test_another_key_or_kind_has_bytes_of_its_own():
    for kind, key in (("kind", "a"), ("kind", "b"), ("other", "a")):
        make = Maker(f"{kind} {key}".encode())
        assert kept_bytes(kind, key, make)[0] == make.content
        assert make.calls == 1


@pytest.mark.parametrize("damage", [b"", b"{}\nmade", b"no json\nmade", b"[]\n", b'{"sha256": 3'])
def test_a_damaged_file_is_made_again(cache, damage):
    make = Maker()
    kept_bytes("kind", "a", make)
    path = cache / "kind" / "a"
    whole = path.read_bytes()
    for content in (damage, whole[:-1], whole + b"x"):
        path.write_bytes(content)
        assert kept_bytes("kind", "a", make)[0] == make.content
    assert make.calls == 4


def test_a_cache_that_cannot_be_used_keeps_nothing(cache, monkeypatch):
    (cache / "kind").write_text("a file where the folder should be")
    make = Maker()
    assert kept_bytes("kind", "a", make)[0] == make.content
    monkeypatch.setenv("LSBENCH_CACHE", str(cache / "kind" / "below a file"))
    assert kept_bytes("kind", "a", make)[0] == make.content
    assert make.calls == 2


def test_a_cache_that_can_only_be_read_is_read(monkeypatch):
    make = Maker()
    kept_bytes("kind", "a", make)

    def refuse(path):
        raise PermissionError

    monkeypatch.setattr("os.utime", refuse)
    assert kept_bytes("kind", "a", make)[0] == make.content
    assert make.calls == 1


def test_what_was_not_asked_for_longest_goes_first(cache, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 3000)
    for number, key in enumerate("abc"):
        kept_bytes("kind", key, Maker(bytes(800)))
        os.utime(cache / "kind" / key, (number, number))
    kept_bytes("kind", "a", Maker())
    kept_bytes("kind", "d", Maker(bytes(800)))
    assert sorted(path.name for path in (cache / "kind").iterdir()) == ["a", "c", "d"]


def test_a_large_one_pushes_none_out(cache, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 10)
    make = Maker(bytes(11))
    for _ in range(2):
        assert kept_bytes("kind", "a", make)[0] == make.content
    assert make.calls == 2


def test_an_error_of_the_maker_is_its_own(cache):
    def fail():
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        kept_bytes("kind", "a", fail)
    assert not (cache / "kind").exists()
