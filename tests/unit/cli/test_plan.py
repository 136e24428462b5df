import pytest

pytestmark = pytest.mark.usefixtures("same_torch_afterwards")


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_plan_or_dry_run_does_nothing_on_disk(command, call, quick, write_suite, results):
    more = ["--dry-run"] if command == "run" else []
    code, out, _ = call(command, write_suite(quick), "--results", results, *more)
    assert code == 0
    assert "id/train/seed0" in out
    assert "left: 1 train" in out
    assert not results.exists()
