import pytest

from lsbench.cli.main import run_command


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


@pytest.fixture
def call(results, capsys):
    """Run a command line; return exit code, stdout and stderr."""

    def run(*arguments):
        code = run_command([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def quick(tiny):
    """A suite of one variant and one seed."""
    tiny["variants"] = tiny["variants"][1:]
    tiny["jobs"][2]["profile"] = {"probes": ["params", "macs"]}
    return {**tiny, "seeds": [0]}
