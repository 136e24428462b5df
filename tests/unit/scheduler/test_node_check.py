"""A node is checked by what it really has; GPUs that are none are told as torch tells them."""

import os
from types import SimpleNamespace

import pytest
import torch

from lsbench.core.waits import told_to
from lsbench.scheduler import node_check
from lsbench.scheduler.node_check import check_node, differences, versions
from lsbench.scheduler.protocol import NodeNeeds


def problems(needs=None, gpus=0):
    return check_node(needs or NodeNeeds(), gpus=gpus)["problems"]


def test_a_good_node_has_no_problem_and_tells_its_versions():
    found = check_node(NodeNeeds(), gpus=0)
    assert found["problems"] == []
    assert found["versions"]["torch"] == versions()["torch"] is not None
    assert found["versions"].keys() == {"torch", "timm", "triton", "driver"}


def test_the_version_of_the_driver_is_the_kernels(monkeypatch, tmp_path):
    (tmp_path / "version").write_text("580.95\n")
    monkeypatch.setattr(node_check, "DRIVERS", (tmp_path / "none", tmp_path / "version"))
    assert versions()["driver"] == "580.95"


def test_other_packages_are_named_and_other_drivers_are_not():
    ours = {"torch": "2.14.1", "timm": "1.0.31", "triton": "3.5", "driver": "580"}
    assert differences(ours, ours) == []
    theirs = {"torch": "2.14.1", "timm": "1.0.9", "triton": None, "driver": "570"}
    assert differences(theirs, ours) == ["timm 1.0.9, here 1.0.31", "triton missing, here 3.5"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_gpus_that_were_granted_and_are_not_there_are_told_with_the_driver():
    [line] = problems(gpus=2)
    assert line.startswith("the job was given 2 GPUs")
    assert "(driver " in line


def test_each_gpu_is_tried_and_the_broken_one_is_named(monkeypatch):
    def ones(count, device):
        if device == "cuda:1":
            raise torch.AcceleratorError("CUDA error: uncorrectable ECC error encountered\nCompile with")
        return SimpleNamespace(add_=lambda one: SimpleNamespace(item=lambda: 2.0))

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch, "ones", ones)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6,7")
    assert problems(gpus=3) == ["GPU 6: CUDA error: uncorrectable ECC error encountered"]


@pytest.mark.gpu
def test_every_gpu_of_this_machine_computes():
    assert problems(gpus=torch.cuda.device_count()) == []


def folder_needs(root):
    return NodeNeeds(datasets=({"name": "image_folder", "root": str(root), "img_size": 32},))


def test_data_that_is_not_there_is_told(tmp_path):
    [line] = problems(folder_needs(tmp_path / "none"))
    assert str(tmp_path / "none") in line


def test_data_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    for split in ("train", "val"):
        (tmp_path / split / "a").mkdir(parents=True)
        (tmp_path / split / "a" / "0.png").write_bytes(b"x")
    assert problems(folder_needs(tmp_path)) == []
    real = os.access
    monkeypatch.setattr(os, "access", lambda place, mode: "val" not in str(place) and real(place, mode))
    assert problems(folder_needs(tmp_path)) == [f"{tmp_path / 'val'}: cannot be read by this user"]


@pytest.mark.parametrize(("free", "count"), [(0, 1), (2**40, 0), (None, 0)])
def test_too_little_shared_memory_for_the_loaders_is_told(monkeypatch, free, count):
    monkeypatch.setattr(node_check, "free_bytes", lambda place: free)
    found = problems(NodeNeeds(workers=2, batch_bytes=2**20))
    assert len(found) == count
    assert all("/dev/shm has 0 MiB free" in line and "--shm-size" in line for line in found)


@pytest.mark.parametrize(("kind", "count"), [("MPS", 1), (None, 0)])
def test_jobs_that_take_the_cpu_beside_a_gpu_that_is_not_supported_say_so(monkeypatch, kind, count):
    heard = []
    monkeypatch.setattr("lsbench.engine.process.unsupported_device", lambda: kind)
    with told_to(heard.append):
        assert problems() == []
    assert len(heard) == count
    assert all("lsbench does not support MPS, so jobs run on the CPU there" in line for line in heard)
