"""The command line: its verbs, and the exit codes of errors."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import Annotated, Any

import typer

from lsbench import __version__
from lsbench.cli.analyze import analyze
from lsbench.cli.compare import compare, verify
from lsbench.cli.data import data_app
from lsbench.cli.doctor import doctor
from lsbench.cli.gate import gate
from lsbench.cli.listing import list_names
from lsbench.cli.new import new
from lsbench.cli.plan import plan
from lsbench.cli.profile import profile
from lsbench.cli.report import report
from lsbench.cli.run import run
from lsbench.cli.schema import schema
from lsbench.cli.status import status
from lsbench.cli.validate import validate
from lsbench.cli.why import why
from lsbench.core.errors import ExitCode, LsbenchError

#: The verbs by purpose, in the order in which a user meets them.
VERBS: dict[str, dict[str, Callable[..., Any]]] = {
    "Run a suite": {"run": run, "plan": plan, "status": status, "report": report},
    "Judge its results": {"compare": compare, "verify": verify, "why": why, "gate": gate},
    "Inspect one model": {"profile": profile, "analyze": analyze},
    "Write a suite": {"list": list_names, "validate": validate, "schema": schema},
    "Add something of your own": {"new": new},
    "Check data and this machine": {"doctor": doctor},
}

app = typer.Typer(
    name="lsbench",
    help="Benchmark and ablation suites for lightweight vision backbones, built around LSNet.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for _panel, _verbs in VERBS.items():
    for _name, _verb in _verbs.items():
        app.command(_name, rich_help_panel=_panel)(_verb)
app.add_typer(data_app, name="data", rich_help_panel="Check data and this machine")

#: The base class of typer's usage errors, whatever click it uses.
CommandLineError: type[Exception] = typer.BadParameter.__bases__[0].__bases__[0]


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    show_traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where an error came from.")
    ] = False,
) -> None:
    if version:
        typer.echo(f"lsbench {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line and exit; every expected error is one line on stderr."""
    code = run_command(sys.argv[1:])
    if code == ExitCode.INTERRUPTED:
        # Everything is closed, but Ray's native threads may crash at exit if its start was interrupted.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def run_command(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        code = app(args=arguments, prog_name="lsbench", standalone_mode=False)
    except LsbenchError as error:
        return _complain(error, str(error), int(error.exit_code), arguments)
    except CommandLineError as error:
        message = " ".join(error.format_message().split())  # type: ignore[attr-defined]
        return _complain(error, message, int(ExitCode.USAGE), arguments)
    except (KeyboardInterrupt, typer.Abort):
        return _complain(None, "interrupted", int(ExitCode.INTERRUPTED), arguments)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.OK)
    return int(code or 0)


def _complain(error: BaseException | None, message: str, code: int, arguments: list[str]) -> int:
    if error is not None and "--traceback" in arguments:
        traceback.print_exception(error)
    for line in message.splitlines():
        print(f"lsbench: {line}", file=sys.stderr)
    return code
