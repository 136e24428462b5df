"""The command line: its verbs, and the exit codes of errors."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from textwrap import shorten
from typing import Annotated, Any, NoReturn

import typer

from lsbench import __version__
from lsbench.cli.completion import is_completion
from lsbench.cli.streams import flush_streams, outlive_terminal, protect_streams
from lsbench.core.cache_root import settle_home
from lsbench.core.errors import ExitCode, LsbenchError, UsageError
from lsbench.core.garbage import collect_seldom
from lsbench.core.plain_text import visible
from lsbench.core.plain_warnings import shown_plainly
from lsbench.core.waits import told_to

#: The verbs by purpose, in the order in which a user meets them, with their functions in :mod:`lsbench.cli`.
VERBS: dict[str, dict[str, str]] = {
    "Run a suite": {
        "run": "run.run",
        "plan": "plan.plan",
        "status": "status.status",
        "show": "show.show",
        "report": "report.report",
        "clean": "clean.clean",
    },
    "Judge its results": {
        "compare": "compare.compare",
        "verify": "compare.verify",
        "why": "why.why",
        "gate": "gate.gate",
    },
    "Inspect one model": {
        "evaluate": "evaluate.evaluate",
        "profile": "profile.profile",
        "analyze": "analyze.analyze",
        "export": "export.export",
    },
    "Write a suite": {
        "list": "listing.list_names",
        "validate": "validate.validate",
        "schema": "schema.schema",
    },
    "Add something of your own": {"new": "new.new"},
    "Check data and this machine": {"doctor": "doctor.doctor", "data": "data.data_app"},
}

#: The verbs whose work matters more than what they print: nobody has to watch it.
WORKING = ("run", "gate")
#: Characters of the line that says that lsbench itself failed.
LONGEST = 400
#: The base class of typer's usage errors, whatever click it uses.
CommandLineError: type[Exception] = typer.BadParameter.__bases__[0].__bases__[0]


def create_app(arguments: Sequence[str] = ()) -> typer.Typer:
    """Return the command line with the verb that `arguments` name, or with all if they name none.

    The others are not imported, as each verb brings what it works with.
    """
    app = typer.Typer(
        name="lsbench",
        help="Benchmark and ablation suites for lightweight vision backbones, built around LSNet.",
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
    )
    app.callback(invoke_without_command=True)(_top)
    known = [(panel, name) for panel, verbs in VERBS.items() for name in verbs]
    for panel, name in [one for one in known if one[1] == _first_word(arguments)] or known:
        module, _, found = VERBS[panel][name].partition(".")
        verb = getattr(import_module(f"lsbench.cli.{module}"), found)
        if isinstance(verb, typer.Typer):
            app.add_typer(verb, name=name, rich_help_panel=panel)
        else:
            app.command(name, rich_help_panel=panel)(verb)
    return app


def _first_word(arguments: Iterable[str]) -> str:
    """Return the first argument that is no option: the verb, in a command line that is right."""
    return next((word for word in arguments if not word.startswith("-")), "")


def _top(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    show_traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where an error came from.")
    ] = False,
) -> None:
    if version:
        typer.echo(f"lsbench {__version__}")
        raise typer.Exit
    try:
        Path.cwd()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"the working directory cannot be used ({reason}): cd to one that exists") from error


def main() -> NoReturn:
    """Run the command line and exit; every error is one line on stderr and has a code of its own."""
    collect_seldom()  # to look for garbage among 10,000 jobs takes an eighth of the time
    settle_home()
    arguments = sys.argv[1:]
    verb = _first_word(arguments)
    stdout = protect_streams()
    if verb in WORKING:
        outlive_terminal()
    code = run_command(arguments)
    flush_streams()
    if stdout.loss is not None:
        lost = _complain(None, f"stdout: cannot be written ({stdout.loss})", int(ExitCode.USAGE), arguments)
        code = code if code or verb in WORKING else lost
        flush_streams()
    if code == ExitCode.INTERRUPTED:
        # Everything is closed, but Ray's native threads may crash at exit if its start was interrupted.
        os._exit(code)
    sys.exit(code)


def run_command(arguments: list[str]) -> int:
    """Run one command line, send what it has changed in results at an address, and return its exit code."""
    code = _run(
        lambda: create_app(arguments)(args=arguments, prog_name="lsbench", standalone_mode=False), arguments
    )
    owned = sys.modules.get("lsbench.store.owned")
    sent = _run(owned.send_changes, arguments) if owned else 0
    return code or sent


def _run(work: Callable[[], Any], arguments: list[str]) -> int:
    """Do some work and return its exit code, or that of its error."""
    try:
        with shown_plainly(), told_to(lambda what: print(f"{what} ...", file=sys.stderr, flush=True)):
            code = int(work() or 0)
    except LsbenchError as error:
        return _complain(error, str(error), int(error.exit_code), arguments)
    except CommandLineError as error:
        message = " ".join(error.format_message().split())  # type: ignore[attr-defined]
        return _complain(error, message, int(ExitCode.USAGE), arguments)
    except KeyboardInterrupt:
        code = int(ExitCode.INTERRUPTED)
    except BaseException as error:  # noqa: BLE001 - Python's own exit code 1 means a regression
        if not (isinstance(error, SystemExit) and is_completion(arguments)):
            return _crashed(error, arguments)
        code = int(error.code or 0)
    if code == ExitCode.INTERRUPTED:
        return _complain(None, "interrupted", code, arguments)
    return int(ExitCode.USAGE) if code and is_completion(arguments) else code


def _crashed(error: BaseException, arguments: list[str]) -> int:
    """Say in one line that lsbench itself failed, or which file did; return the code for that."""
    if isinstance(error, typer.Abort) and error.__cause__ is not None:
        error = error.__cause__  # typer's word for the end of any file
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes | os.PathLike):
        reason = error.strerror or type(error).__name__
        where = os.fsdecode(error.filename)
        message = f"{where}: cannot be used ({reason}); check who owns it and its folder"
        return _complain(error, message, int(ExitCode.USAGE), arguments)
    what = " ".join(f"{type(error).__name__}: {error}".split())
    message = f"internal error: {shorten(what, LONGEST, placeholder=' ...')}"
    hint = "" if "--traceback" in arguments else "; `lsbench --traceback VERB ...` shows where"
    return _complain(error, message + hint, int(ExitCode.CRASHED), arguments)


def _complain(error: BaseException | None, message: str, code: int, arguments: list[str]) -> int:
    if error is not None and "--traceback" in arguments:
        traceback.print_exception(error)
    for line in message.splitlines():
        print(f"lsbench: {visible(line)}", file=sys.stderr)
    return code
