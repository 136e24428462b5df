from threading import Event

import pytest

from lsbench.core.waits import told_to
from lsbench.data.memo import remember


def never():
    pytest.fail("found again")


def test_an_answer_is_kept_while_its_state_lasts(cache):
    assert remember("a/b", [1], 0, lambda: {"x": [1, "n"]}) == {"x": [1, "n"]}
    assert remember("a/b", [1], 0, never) == {"x": [1, "n"]}
    assert remember("a/b", [2], 0, lambda: "new") == "new"
    assert remember("a/c", [2], 0, lambda: "other") == "other"
    assert [path.name for path in sorted((cache / "a").iterdir())] == ["b.json", "c.json"]


def test_what_changed_a_moment_ago_is_not_kept():
    late = 2**62
    assert remember("a", [1], late, lambda: 1) == 1
    assert remember("a", [1], late, lambda: 2) == 2


@pytest.mark.parametrize("damaged", ["{", "[]", '{"state": [1]}'])
def test_a_damaged_memo_is_ignored(cache, damaged):
    (cache / "a.json").parent.mkdir(parents=True, exist_ok=True)
    (cache / "a.json").write_text(damaged)
    assert remember("a", [1], 0, lambda: 3) == 3
    assert remember("a", [1], 0, never) == 3


def test_an_answer_that_is_not_final_is_found_again():
    answers = iter(["bad", "good", "better"])

    def ask():
        return remember("a", 1, 0, lambda: next(answers), is_final=lambda answer: answer != "bad")

    assert [ask(), ask(), ask()] == ["bad", "good", "good"]


def test_those_who_wait_long_are_told_unless_the_answer_is_known(monkeypatch):
    monkeypatch.setattr("lsbench.core.waits.SOON_S", 0.0)
    heard, told = [], Event()

    def listen(what):
        heard.append(what)
        told.set()

    with told_to(listen):
        remember("w", 1, 0, lambda: told.wait(20), wait="reading")
        remember("w", 1, 0, never, wait="reading again")
        remember("v", 1, 0, lambda: 1)
    assert heard == ["reading"]


def test_who_gets_the_answer_at_once_is_told_nothing():
    heard = []
    with told_to(heard.append):
        remember("w", 1, 0, lambda: 1, wait="reading")
    assert heard == []
