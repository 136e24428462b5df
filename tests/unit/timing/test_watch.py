import pytest

from lsbench.timing.gpu_state import GpuReading
from lsbench.timing.watch import Watch


@pytest.fixture
def watch_of(clock, host):
    def create(gpu=None):
        watch = Watch(host, gpu, max_other_cpus=0.25, clock=clock)
        watch.start()
        return watch

    return create


def test_an_interval_in_which_others_use_too_much_of_the_cpus_is_disturbed(watch_of, clock, host):
    watch, found = watch_of(), []
    for busy in (0.0, 1.0, 0.25, 0.26):
        host.busy = busy
        clock.go(0.5)
        found.append(watch.close_interval(10))
    assert found == [False, True, False, True]
    assert watch.disturbed_by == {"other processes on the CPUs": 20}
    assert watch.summary()["other_cpus"] == {"median": pytest.approx(0.255), "max": 1.0}


def test_a_short_burst_counts_for_its_share_of_the_interval(watch_of, clock, host):
    watch = watch_of()
    host.busy = 1.0
    clock.go(0.1)
    host.other_cpu_s()
    host.busy = 0.0
    clock.go(0.9)
    assert not watch.close_interval(1)


@pytest.mark.parametrize(
    ("reading", "reason"),
    [
        (GpuReading(throttles=("hw_thermal",)), "GPU throttled: hw_thermal"),
        (GpuReading(other_processes=1), "other processes on the GPU"),
    ],
)
def test_a_gpu_that_throttles_or_is_shared_disturbs(reading, reason, watch_of, clock, create_gpu):
    watch = watch_of(create_gpu(GpuReading(), reading, GpuReading()))
    clock.go(1)
    assert watch.close_interval(5)
    clock.go(1)
    assert not watch.close_interval(5)
    assert watch.disturbed_by == {reason: 5}


def test_a_power_cap_alone_does_not(watch_of, clock, create_gpu):
    watch = watch_of(create_gpu(GpuReading(is_power_capped=True)))
    clock.go(1)
    assert not watch.close_interval(5)
    assert watch.summary()["is_power_capped"]


def test_energy_is_what_was_taken_since_the_start(watch_of, clock, create_gpu):
    watch = watch_of(create_gpu(*(GpuReading(energy_j=joules) for joules in (1000.0, 1010.0, 1030.0))))
    for _ in range(2):
        clock.go(1)
        watch.close_interval(1)
    assert watch.energy_j == 30.0


def test_what_cannot_be_told_is_none_and_a_cpu_has_no_gpu(watch_of, clock):
    watch = watch_of()
    clock.go(1)
    watch.close_interval(1)
    assert watch.energy_j is None
    assert not any(name.startswith("gpu") for name in watch.summary())
    assert watch.summary()["cpu_mhz"] == [2000.0, 2000.0]


def test_a_gpu_is_summed_up(watch_of, clock, create_gpu):
    hot = GpuReading(clock_mhz=900.0, temperature_c=90.0, throttles=("sw_thermal",), other_processes=2)
    watch = watch_of(create_gpu(GpuReading(clock_mhz=1500.0, temperature_c=60.0), hot))
    clock.go(1)
    watch.close_interval(1)
    found = watch.summary()
    assert (found["gpu_mhz"], found["gpu_temperature_c"]) == ([900.0, 1500.0], [60.0, 90.0])
    assert (found["gpu_throttles"], found["gpu_other_processes"]) == (["sw_thermal"], 2)
