"""What Ray gives to tasks, on a Ray with GPUs that are none."""

import os
import sys
from types import SimpleNamespace

import pytest

from lsbench.scheduler.ray_devices import HeldDevices, granted_devices, visible_to


class FakeRay:
    """A Ray whose tasks get the lowest free GPU, as the real one does."""

    def __init__(self, free, granted=()):
        self.free, self.granted, self.cancelled = list(free), list(granted), []
        self.exceptions = SimpleNamespace(RayError=RuntimeError)

    def get_runtime_context(self):
        return SimpleNamespace(get_accelerator_ids=lambda: {"GPU": self.granted})

    def remote(self, **options):
        return lambda body: self

    def options(self, **options):
        return SimpleNamespace(remote=self._start)

    def _start(self):
        return iter([[self.free.pop(0)]] if self.free else [])

    def wait(self, tasks, timeout):
        return tasks, []

    def get(self, value):
        return value

    def cancel(self, task, force):
        self.cancelled.append(task)


@pytest.fixture
def ray(monkeypatch):
    def install(**options):
        made = FakeRay(**options)
        monkeypatch.setitem(sys.modules, "ray", made)
        return made

    return install


@pytest.mark.parametrize(
    ("granted", "found"), [(["10", "9"], ["9", "10"]), (["MIG-b", "MIG-a"], ["MIG-a", "MIG-b"]), ([], [])]
)
def test_the_devices_of_a_task_are_those_of_rays_own_account_whatever_the_variables_say(
    ray, granted, found, monkeypatch
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    monkeypatch.setenv("RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES", "1")
    ray(free=[], granted=granted)
    assert granted_devices() == found


def test_a_job_sees_its_own_devices_whatever_the_process_saw_that_it_is_forked_from(monkeypatch):
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "6")
    seen = {**os.environ, **visible_to(["0", "3"])}
    assert (seen["CUDA_VISIBLE_DEVICES"], seen["HIP_VISIBLE_DEVICES"]) == ("0,3", "0,3")
    assert set(visible_to([]).values()) == {""}


def test_a_device_is_held_by_taking_those_before_it_and_giving_them_back(ray):
    fake, held = ray(free=["0", "1", "2"]), HeldDevices()
    assert held.hold("n", "1", most=3, options={})
    assert len(fake.cancelled) == 1
    held.free("n", "1")
    held.free("n", "1")
    assert len(fake.cancelled) == 2


@pytest.mark.parametrize("free", [["0", "2"], []])
def test_a_device_that_cannot_be_had_is_not_held(ray, free):
    fake, held = ray(free=free), HeldDevices()
    assert not held.hold("n", "1", most=2, options={})
    assert len(fake.cancelled) == max(1, len(free))
    held.free_all()
    assert len(fake.cancelled) == max(1, len(free))


def test_all_that_are_held_are_given_back(ray):
    fake, held = ray(free=["0", "1"]), HeldDevices()
    assert held.hold("n", "0", most=2, options={})
    assert held.hold("n", "1", most=2, options={})
    held.free_all()
    assert len(fake.cancelled) == 2
