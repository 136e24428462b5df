"""The hooks that fill in generated parts of pages."""

import importlib.util
import sys
from pathlib import Path

import pytest

#: Endings of files of weights.
WEIGHTS = (".pth", ".safetensors")
HOOKS = Path(__file__).resolve().parents[2] / "docs" / "hooks"


@pytest.fixture(scope="session")
def load_hook():
    """Import a file of ``docs/hooks`` by its name."""

    def load(name):
        spec = importlib.util.spec_from_file_location(f"docs_hooks_{name}", HOOKS / f"{name}.py")
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(autouse=True)
def _a_reader_has_data_and_weights(monkeypatch):
    """Commands of pages name the reader's folder of large data sets, /data, and files of weights."""
    is_dir, is_file = Path.is_dir, Path.is_file
    monkeypatch.setattr(Path, "is_dir", lambda path: path == Path("/data") or is_dir(path))
    monkeypatch.setattr(Path, "is_file", lambda path: path.suffix in WEIGHTS or is_file(path))
