import gzip

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lsbench.core.errors import ConfigError
from lsbench.models.checkpoint_files import read_checkpoint

STATE = nn.Linear(2, 2).state_dict()


def traced(path):
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)), str(path))


def text(content):
    return lambda path: path.write_text(content, encoding="utf-8")


#: A file that is no checkpoint -> what it is called.
OTHERS = {
    "LFS": (
        text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        r"a pointer of Git LFS, .*`git lfs pull`",
    ),
    "page": (text("\n<!DOCTYPE html><html><body>404</body></html>"), "a web page, not weights"),
    "old page": (text("\ufeff<HTML><head></head></HTML>"), "a web page, not weights"),
    "refusal": (text('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'), "an XML text"),
    "json": (text('{"error": "not found"}'), "a JSON text, not weights"),
    "gzip": (lambda path: path.write_bytes(gzip.compress(b"weights")), "a gzip archive; unpack it"),
    "Keras": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99)), "an HDF5 file"),
    "npz": (lambda path: np.savez(path.open("wb"), a=np.ones(3)), r"an archive of numpy arrays \(npz\)"),
    "npy": (lambda path: np.save(path.open("wb"), np.ones(3)), "an array of numpy"),
    "TorchScript": (traced, "a program of TorchScript"),
}


@pytest.mark.parametrize("what", OTHERS)
@pytest.mark.filterwarnings("ignore")
def test_a_file_that_is_something_else_is_told_what_it_is_in_one_line(tmp_path, what):
    write, told = OTHERS[what]
    write(tmp_path / "weights.pth")
    with pytest.raises(ConfigError, match=f"checkpoint '.*weights.pth' is {told}") as caught:
        read_checkpoint(tmp_path / "weights.pth")
    assert "\n" not in str(caught.value)


def test_the_content_of_a_file_tells_its_format_not_its_name(tmp_path):
    save_file(STATE, tmp_path / "weights.pth")
    torch.save(STATE, tmp_path / "weights.safetensors")
    for path in tmp_path.iterdir():
        assert torch.equal(read_checkpoint(path)["weight"], STATE["weight"])
