"""Read a file of weights, tensors and plain values only; a file that is something else is told what it is."""

from __future__ import annotations

import argparse
import errno
import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from lsbench.core.errors import ConfigError

#: Start of a file, in lower case and without blanks -> what it is.
_TEXTS = {
    b"version https://git-lfs": "is a pointer of Git LFS, not the file itself; fetch it with `git lfs pull`",
    b"<!doctype html": "is a web page, not weights; fetch the file that the page offers",
    b"<html": "is a web page, not weights; fetch the file that the page offers",
    b"<?xml": "is an XML text, often a server's refusal, not weights; fetch the file again",
    b"{": "is a JSON text, not weights",
}
_MAGICS = {
    b"\x1f\x8b": "is a gzip archive; unpack it and name the file in it",
    b"\x89HDF": "is an HDF5 file, as Keras writes them; convert it to a state dict of torch",
    b"\x93NUMPY": "is an array of numpy, not weights by name",
}
_HEAD = 512


def read_checkpoint(path: Path) -> Any:
    """Return what a file of ``torch.save`` or of safetensors holds; the file tells which it is, not its name.

    Raises:
        ConfigError: If it does not exist, is something else, is damaged, or needs code to be run.
    """
    if not path.is_file():
        reason = "is a folder; name the file in it" if path.is_dir() else "does not exist"
        raise ConfigError(f"checkpoint '{path}' {reason}")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if other := _other_file(path, head):
            raise ConfigError(f"checkpoint '{path}' {other}")
        if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
            return load_file(path)
        # Training scripts keep their arguments beside the weights. Warnings of torch end in an error here.
        safe = torch.serialization.safe_globals([argparse.Namespace])
        with path.open("rb") as file, safe, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(file, map_location="cpu", weights_only=True)
    except ConfigError:
        raise
    except Exception as error:  # a damaged file may raise anything
        raise ConfigError(f"checkpoint '{path}' {_reason(error)}") from error


def _other_file(path: Path, head: bytes) -> str:
    """Return what a file is that holds no weights of torch; an empty text if it may hold some."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, what in (*_TEXTS.items(), *_MAGICS.items()):
        if (text if start in _TEXTS else head).startswith(start):
            return what
    return _other_archive(path) if head.startswith(b"PK") else ""


def _other_archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return ""
    if all(name.endswith(".npy") for name in names):
        return "is an archive of numpy arrays (npz); convert it to a state dict of torch"
    if any("/code/" in name for name in names):
        return "is a program of TorchScript; save the model's state dict alone"
    if any(name.endswith(("archive_format", "serialized_exported_program.json")) for name in names):
        return "is a program of torch.export; save the model's state dict alone"
    return ""


def _reason(error: Exception) -> str:
    if isinstance(error, pickle.UnpicklingError):
        unsafe = re.search(r"(?:GLOBAL|global) `?([\w.]+)", str(error))
        if unsafe:
            return (
                f"needs '{unsafe.group(1)}', which is not loaded since it could run code; "
                "save the model's state dict alone"
            )
        return "is damaged or not a checkpoint of torch.save"
    # For a truncated archive torch seeks to a position before the start of the file.
    if isinstance(error, OSError) and error.strerror and error.errno != errno.EINVAL:
        return f"cannot be read: {error.strerror}"
    sentence = re.split(r"\. |\n", str(error).strip())[0]
    return f"is damaged or not a checkpoint ({type(error).__name__}{f': {sentence}' if sentence else ''})"
