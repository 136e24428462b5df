"""Stand-ins for the clock, the CPUs and a GPU: time passes only when something takes some."""

import pytest

from lsbench.timing.gpu_state import GpuReading
from lsbench.timing.request import Budget, Request, Setting, TimedModel


class FakeClock:
    """A clock that stands still unless it is told to go on."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def go(self, seconds):
        self.now += seconds


class FakeHost:
    """CPUs of which others use as many as `busy` says, from one look to the next."""

    def __init__(self, clock):
        self.clock, self.busy = clock, 0.0
        self.used, self.seen = 0.0, clock()

    def other_cpu_s(self):
        self.used += self.busy * (self.clock() - self.seen)
        self.seen = self.clock()
        return self.used

    def clock_mhz(self):
        return 2000.0


class FakeGpu:
    """A GPU that gives the readings it was given, then the last one again."""

    def __init__(self, *readings):
        self.readings = list(readings) or [GpuReading()]

    def read(self):
        return self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def host(clock):
    return FakeHost(clock)


@pytest.fixture
def create_gpu():
    return FakeGpu


@pytest.fixture
def small_request():
    """A request that takes well under a second: the smallest model on the smallest image."""
    return Request(
        subject=TimedModel(model="lsnet_nano", mixer="identity"),
        seed=0,
        num_classes=3,
        img_size=32,
        batch_size=2,
        device="cpu",
        setting=Setting(),
        budget=Budget(min_s=0, max_s=0.2, min_samples=6, max_samples=6),
    )
