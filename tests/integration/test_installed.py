"""The code that was installed is the code that runs, whatever lies in the working folder."""

from __future__ import annotations

from .conftest import Cli


def test_a_package_of_the_same_name_in_the_working_folder_is_not_used(cli: Cli) -> None:
    decoy = cli.folder / "lsbench"
    decoy.mkdir()
    (decoy / "__init__.py").write_text("raise RuntimeError('the wrong lsbench')\n")

    done = cli.run("run", "tiny.yaml", "--only", "identity/profile", "--scheduler", "inline")

    assert done.returncode == 0, done.stderr
