import pytest

from lsbench.core.waits import told_to
from lsbench.scheduler.faulty_devices import FaultyDevices
from lsbench.scheduler.ledger import Ledger, ResourceRequest
from lsbench.scheduler.protocol import Node

ONE = ResourceRequest(1, 1, "no")


@pytest.fixture
def ledger():
    return Ledger([Node("a", 8, 2, "host-a")])


@pytest.fixture
def executor(fake_executor):
    return fake_executor([])


@pytest.fixture
def fail(ledger):
    """Let a job run on a node and fail there by a fault of a device."""

    def run(devices, job="j", device="7"):
        placement = ledger.place(ONE)
        ledger.release(placement)
        devices.fault(job, placement, {"node": "a", "device": device})

    return run


def room(ledger):
    """Return how many GPUs jobs can have now; nothing stays taken."""
    taken = []
    while (placement := ledger.place(ONE)) is not None:
        taken.append(placement)
    for placement in taken:
        ledger.release(placement)
    return len(taken)


def test_a_device_that_failed_once_is_kept_from_jobs_until_the_job_has_ended(ledger, executor, fail):
    devices = FaultyDevices(executor, ledger)
    fail(devices)
    assert (executor.held, room(ledger)) == ([("a", "7")], 1)
    devices.ended("another")
    assert room(ledger) == 1
    devices.ended("j")
    assert (executor.held, room(ledger)) == ([], 2)


def test_a_device_that_failed_twice_is_set_aside_for_good_and_named(ledger, executor, fail):
    devices, heard = FaultyDevices(executor, ledger), []
    with told_to(heard.append):
        fail(devices, "j")
        devices.ended("j")
        fail(devices, "k")
    devices.ended("k")
    assert not devices.release()
    assert (executor.held, room(ledger)) == ([("a", "7")], 1)
    assert len(heard) == 1
    assert heard[0].startswith("GPU 7 of node host-a has failed 2 times and is set aside")


def test_faults_of_two_devices_are_counted_apart(ledger, executor, fail):
    devices = FaultyDevices(executor, ledger)
    fail(devices, "j", "7")
    fail(devices, "k", "MIG-3")
    assert (len(executor.held), room(ledger)) == (2, 0)
    assert devices.release()
    assert (executor.held, room(ledger)) == ([], 2)
    assert not devices.release()


@pytest.mark.parametrize("end", [{"node": "a"}, {"node": "b", "device": "7"}])
def test_a_fault_of_nobody_knows_which_device_keeps_none(ledger, executor, end):
    devices, placement = FaultyDevices(executor, ledger), ledger.place(ONE)
    ledger.release(placement)
    devices.fault("j", placement, end)
    assert (executor.held, room(ledger)) == ([], 2)


def test_a_device_that_cannot_be_had_or_whose_node_is_gone_changes_nothing(
    ledger, executor, fail, monkeypatch
):
    placement = ledger.place(ONE)
    ledger.release(placement)
    monkeypatch.setattr(executor, "hold_device", lambda node, device: False)
    FaultyDevices(executor, ledger).fault("j", placement, {"node": "a", "device": "7"})
    assert room(ledger) == 2
    monkeypatch.undo()
    ledger.remove("a")
    FaultyDevices(executor, ledger).fault("j", placement, {"node": "a", "device": "7"})
    assert executor.held == []
