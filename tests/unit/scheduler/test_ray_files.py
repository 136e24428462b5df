"""How nodes recognise the results folder, and how they reach it otherwise; with Ray in tests/integration."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.exceptions import ActorUnavailableError, RayTaskError

from lsbench.core.errors import StoreError
from lsbench.scheduler import ray_files
from lsbench.scheduler.carried_job import sees
from lsbench.scheduler.ray_files import FarFiles, SharedFiles


def test_a_folder_is_marked_while_the_run_lasts(tmp_path):
    root = tmp_path / "results/tiny/default"
    root.mkdir(parents=True)
    files = SharedFiles(root, "abc", is_local=True)
    assert [path.name for path in root.iterdir()] == [".shared-abc"]
    assert sees(files.place)
    assert files.for_job() == {}, "all jobs of a local Ray see the folder"
    files.close()
    files.close()
    assert list(root.iterdir()) == []


def test_each_attempt_on_a_cluster_has_a_higher_number(tmp_path, monkeypatch):
    monkeypatch.setattr(SharedFiles, "_start_actor", lambda self, root: setattr(self, "_actor", object()))
    numbers = []
    for _ in range(2):  # a second driver's attempts are higher than the first one's
        files = SharedFiles(tmp_path, "abc", is_local=False)
        numbers += [files.for_job()["place"]["attempt"] for _ in range(3)]
    assert numbers == sorted(set(numbers))


@pytest.fixture
def far(monkeypatch) -> Any:
    """A reach to an actor whose answers are scripted; the reach waits without sleeping."""
    answers: list[Any] = []

    def get(asked: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return asked, answer

    actor = SimpleNamespace(has=SimpleNamespace(remote=lambda *words: ("has", *words)))
    monkeypatch.setattr(ray, "get_actor", {"files": actor}.__getitem__)
    monkeypatch.setattr(ray, "get", get)
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(ray_files.time, "sleep", lambda s: setattr(clock, "now", clock.now + s))
    monkeypatch.setattr(ray_files.time, "monotonic", lambda: clock.now)
    return FarFiles("files"), answers


def test_an_actor_that_starts_again_is_waited_for_but_not_for_ever(far):
    call, answers = far
    lost = ActorUnavailableError("starting again", b"0" * 16)
    answers += [lost, lost, "yes"]
    assert call("has", "a") == (("has", "a"), "yes")
    answers += [lost] * 100
    with pytest.raises(ActorUnavailableError):
        call("has", "a")
    assert 100 - len(answers) == ray_files.PATIENCE_S + 2


def test_errors_of_the_folder_come_as_they_are_and_others_as_rays(far):
    call, answers = far
    for cause, expected in ((StoreError("full"), StoreError), (ValueError("ours"), RayTaskError)):
        answers.append(RayTaskError("has", "traceback", cause))
        with pytest.raises(expected) as raised:
            call("has", "a")
        assert (str(raised.value) == "full") == (expected is StoreError)
