"""The cache folder, and places for the caches of other libraries where a user has no home folder.

In containers and on clusters the package may be owned by root, the user unknown to the system, and the home
folder ``/``, read-only or not set at all. Libraries then fail, or write into a folder that is literally named
``~``.
"""

from __future__ import annotations

import getpass
import os
import stat
import tempfile
from pathlib import Path

from lsbench.core.atomic import set_mode
from lsbench.core.errors import DataError

ROOT, TRITON = "LSBENCH_CACHE", "TRITON_CACHE_DIR"
#: Environment variable -> folder below the cache that a library uses where the home folder cannot be written.
OTHERS = {
    "XDG_CACHE_HOME": "other",
    "MPLCONFIGDIR": "matplotlib",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    TRITON: "triton",
}


def cache_root() -> Path:
    """Return the cache folder, created if needed.

    It is ``$LSBENCH_CACHE``, else ``$XDG_CACHE_HOME/lsbench``, else ``~/.cache/lsbench``, else, where the
    home folder cannot be written (containers, some clusters), a private folder ``lsbench-<user id>`` among
    temporary files.

    Raises:
        DataError: If ``$LSBENCH_CACHE`` is set and cannot be written, or no folder can be.
    """
    chosen = os.environ.get(ROOT)
    if chosen:
        root = _absolute(chosen)
        if root is None or not is_writable(root):
            raise DataError(
                f"expected a writable folder in {ROOT}, found {chosen}; "
                "set it to a folder that this user can write, or unset it"
            )
        return root
    cache_home = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(cache_home, "lsbench") if os.path.isabs(cache_home) else _absolute("~/.cache/lsbench")
    return home if home is not None and is_writable(home) else _temporary()


def settle_home() -> None:
    """Let libraries keep their caches below lsbench's own if the home folder cannot be written.

    Triton's compiled programs and best launches are below it too if ``$LSBENCH_CACHE`` is set.

    Only the environment of this process and its children changes. A home folder that can merely be read
    stays what it is, as it may hold logins; where there is none, a folder of the cache takes its place. What
    the user has set stays.
    """
    chosen = os.environ.get(ROOT)
    if chosen and (root := _absolute(chosen)) is not None:
        os.environ[ROOT] = str(root)  # some processes start in other folders
        if is_writable(root):
            # On a cluster it is often shared: a node need not compile what another has compiled.
            os.environ.setdefault(TRITON, str(root / OTHERS[TRITON]))
    try:
        getpass.getuser()
    except (KeyError, OSError):  # the system does not know the user
        os.environ["USER"] = f"user-{os.getuid()}"
    home = _home()
    if home is not None and any(os.access(path, os.W_OK) for path in (home, home / ".cache")):
        return
    try:
        root = cache_root()
    except DataError:
        return  # whoever needs the cache says so
    os.environ[ROOT] = str(root)
    if home is None:
        folder = root / "home"
        folder.mkdir(mode=0o700, exist_ok=True)
        os.environ["HOME"] = str(folder)
    for variable, name in OTHERS.items():
        os.environ.setdefault(variable, str(root / name))


def is_writable(folder: Path) -> bool:
    """Return whether files can be written in a folder, which is created if needed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _absolute(path: str) -> Path | None:
    """Return an absolute path, or None if it lies in a home folder that is unknown."""
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:
        return None


def _home() -> Path | None:
    """Return the home folder; None if there is none, or it is ``/`` and not this user's."""
    home = Path(os.path.expanduser("~"))
    if not home.is_absolute() or not home.is_dir():
        return None
    return home if home != home.parent or os.access(home, os.W_OK) else None


def _temporary() -> Path:
    """Return the folder for temporary files, which nobody else can write."""
    try:
        folder = Path(tempfile.gettempdir()).absolute() / f"lsbench-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"no folder for a cache can be written ({error}); set {ROOT} to one that this user can write"
        ) from error
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise DataError(f"{folder} belongs to another user; set {ROOT} to a folder that you own")
    set_mode(folder, 0o700)
    if folder.stat().st_mode & 0o022:
        raise DataError(f"{folder} can be written by other users; set {ROOT} to a folder of your own")
    return folder
