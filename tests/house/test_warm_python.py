"""A command that is forked from the server of the tests is what a new interpreter would be."""

import json
import os
import subprocess
import sys

import pytest
import sklearn  # noqa: F401 - sets variables when it is imported, and no command may miss the server for it

#: Prints all that a program is given, writes to both streams, and ends as it is told to.
PROGRAM = """\
import atexit, json, os, signal, sys, tempfile, threading
told = {
    "arguments": sys.argv, "module": __name__, "name": str(__spec__ and __spec__.name),
    "is_main": sys.modules["__main__"].__dict__ is globals(),
    "variables": {k: v for k, v in os.environ.items() if k not in ("_", "PWD", "OLDPWD", "SHLVL")},
    "folder": os.getcwd(), "path": sys.path, "input": sys.stdin.read(), "temporary": tempfile.gettempdir(),
    "streams": [(s.name, s.mode, s.encoding, s.errors, s.line_buffering, s.write_through, s.isatty(),
                 s.fileno(), type(s.buffer).__name__, s.newlines)
                for s in (sys.stdin, sys.stdout, sys.stderr)],
    "same": [getattr(sys, n) is getattr(sys, f"__{n}__") for n in ("stdin", "stdout", "stderr")],
    "signals": [signal.getsignal(s) is signal.default_int_handler or repr(signal.getsignal(s))
                for s in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE)],
    "open": sorted(os.readlink(f"/proc/self/fd/{n}").partition(":")[0] for n in os.listdir("/proc/self/fd")
                   if os.path.exists(f"/proc/self/fd/{n}") and int(n) > 2),
    "threads": len(os.listdir("/proc/self/task")), "mask": os.umask(0o22),
}
print(json.dumps(told))
atexit.register(print, "at the end", file=sys.stderr)
def last():
    threading.main_thread().join()
    print("later", file=sys.stderr)
threading.Thread(target=last).start()
print("to stderr", file=sys.stderr)
if sys.argv[1] == "raise":
    raise ValueError("as told")
if sys.argv[1] == "kill":
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(sys.argv[1] if sys.argv[1] == "words" else int(sys.argv[1]))
"""


@pytest.fixture
def run(tmp_path):
    """Run the program with an interpreter; return what it was told, its other stream, and its status."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "shown.py").write_text(PROGRAM)
    (tmp_path / "own").mkdir()

    def start(python, how, word):
        path = os.pathsep.join(filter(None, [str(tmp_path / "site"), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            ["bash", "-c", f'"$0" -P {how} {word} "two words"', python],
            cwd=tmp_path / "own",
            env={**os.environ, "PYTHONPATH": path, "LSBENCH_OWN": "ä", "TMPDIR": str(tmp_path)},
            input="read\n",
            capture_output=True,
            text=True,
            check=False,
        )
        told = json.loads(done.stdout)
        return told, done.stderr, done.returncode

    return start


def shown(errors):
    """Return the lines of stderr that are no places in code: runpy is one more in a fork."""
    return [line for line in errors.splitlines() if not line.startswith(" ")]


@pytest.mark.parametrize(
    ("how", "word"),
    [
        *(("-m shown", word) for word in ("0", "3", "-1", "words", "raise", "kill")),
        ('-c "$(cat ../site/shown.py)"', "3"),
    ],
)
def test_a_forked_command_is_told_and_ends_as_a_new_interpreter(warm_python, run, how, word):
    told, errors, status = run(warm_python, how, word)
    fresh, errors_of_fresh, status_of_fresh = run(sys.executable, how, word)
    assert told == fresh
    assert shown(errors) == shown(errors_of_fresh)
    assert status == status_of_fresh


@pytest.mark.parametrize(
    ("redirect", "variables", "is_forked"),
    [
        ("", {}, True),
        ("", {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}, True),  # a job sets it for the rest of its process
        ("", {"TRITON_CACHE_DIR": "/nowhere"}, True),  # and a command this
        ("", {"PS1": "(.venv) "}, True),  # an activated environment sets it, and bash drops it
        ("", {"LSBENCH_PARENT": "1"}, False),
        ("", {"OMP_NUM_THREADS": "7"}, False),  # torch reads it when it is imported
        ("<&-", {}, False),
        ("2>&-", {}, False),
    ],
)
def test_what_an_import_may_depend_on_needs_a_new_interpreter(
    warm_python, tmp_path, redirect, variables, is_forked
):
    (tmp_path / "seen.py").write_text("import sys; print('torch' in sys.modules)")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    told = subprocess.check_output(
        ["bash", "-c", f'"$0" -P -m seen {redirect}', warm_python],
        env={**os.environ, "PYTHONPATH": path, **variables},
        text=True,
    )
    assert told.strip() == str(is_forked)


def test_a_copy_of_lsbench_needs_a_new_interpreter(warm_python, tmp_path):
    (tmp_path / "lsbench").mkdir()
    (tmp_path / "lsbench" / "__init__.py").write_text("print('mine')")
    command = [warm_python, "-P", "-c", "import lsbench"]
    assert subprocess.check_output(command, env={**os.environ, "PYTHONPATH": str(tmp_path)}) == b"mine\n"
