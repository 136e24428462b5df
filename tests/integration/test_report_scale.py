"""The benchmark of large stores, made small: it runs, and the store that it writes is read as a real one."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("report_scale", ROOT / "benchmarks" / "report_scale.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "report_scale", module)  # where its data classes look
        spec.loader.exec_module(module)
        yield module


def test_the_store_has_the_jobs_and_records_that_were_asked_for(benchmark, tmp_path):
    folder, jobs, records = benchmark.create_store(tmp_path, 100, 8_000)
    assert jobs == len(folder.manifest()["jobs"]) == len(folder.jobs()) == 96
    assert records == len(folder.records())
    assert 8_000 <= records < 8_200
    assert all(line["status"] == "ok" for line in folder.jobs().values())


@pytest.mark.slow
def test_every_command_is_measured(benchmark, capfd):
    benchmark.main(["--jobs", "32", "--records", "3000", "--repeats", "1"])
    out = capfd.readouterr().out
    assert re.search(r"^32 jobs, 3\d\d\d records", out, re.M)
    for what in ("report, the cache is made anew", "report, the cache is in place", "status", "--help"):
        found = re.search(rf"^{what} +(\d+\.\d\d) s +(\d+) MiB$", out, re.M)
        assert float(found[1]) > 0
        assert int(found[2]) > 0
    assert re.search(r"Python \d", out)
