import subprocess
import sys

import numpy as np
import pytest

from lsbench.core.errors import StoreError
from lsbench.store.job_files import PREDICTIONS, read_arrays


def test_arrays_are_read_by_name_and_what_is_optional_may_be_missing(tmp_path):
    path = tmp_path / PREDICTIONS
    np.savez(path, targets=np.arange(3), score_top1=np.ones(3, dtype=bool))
    found = read_arrays(path, ["targets"], optional=["score_top1", "score_top5"])
    assert {name: array.tolist() for name, array in found.items()} == {
        "targets": [0, 1, 2],
        "score_top1": [True] * 3,
    }
    assert read_arrays(path, ["absent"]) is None
    assert read_arrays(path.with_name("absent.npz"), ["targets"]) is None


def test_a_damaged_file_is_an_error_that_says_what_to_do(tmp_path):
    (tmp_path / PREDICTIONS).write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(StoreError, match=r"predictions\.npz: damaged .* run again"):
        read_arrays(tmp_path / PREDICTIONS, ["targets"])


def test_the_names_cost_no_import_of_numpy():
    code = "import sys, lsbench.store.job_files; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
