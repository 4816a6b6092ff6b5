"""The program rhx: found, started, given and asked by pipes, and ended in order.

Text that holds values stays in the functions that are called by :func:`shielded`: an
exception comes without their frames, which tools that print the locals of a traceback
would show.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from typing import Any, Optional, TypeVar

from ._errors import Error, NotInstalled, Timeout, error
from ._value import Value

log = logging.getLogger("rhx")

#: How long a program that was asked to end has, in seconds, before it is asked again.
GRACE = 10.0

_T = TypeVar("_T")


def find() -> str:
    """Return the path of the program: the one that came with this module, else that in PATH."""
    name = "rhx" + (sysconfig.get_config_var("EXE") or "")
    user = sysconfig.get_preferred_scheme("user") if sys.version_info >= (3, 10) else f"{os.name}_user"
    package = os.path.dirname(os.path.abspath(__file__))
    for folder in (
        sysconfig.get_path("scripts"),
        sysconfig.get_path("scripts", user),
        os.path.join(os.path.dirname(package), "bin"),  # pip install --target
    ):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    in_path = shutil.which("rhx")
    if in_path is None:
        raise NotInstalled(
            "the program rhx is not there, neither beside this Python nor in PATH",
            hint="install this module from a wheel of this platform, which carries it, or put rhx into PATH",
        )
    return in_path


class Answer:
    """What a program answered. What it wrote may hold values."""

    __slots__ = ("argv", "out", "said", "status")

    def __init__(self, argv: Sequence[str], status: int, out: Value, said: str) -> None:
        self.argv = argv
        self.status = status
        self.out = out
        self.said = said


def call(argv: Sequence[str], given: Optional[Value] = None, timeout: Optional[float] = None) -> Answer:
    """Run a program of rhx to its end. ``given`` is its standard input.

    An error that rhx reports as a whole is raised; what it warns of goes to the logger
    ``rhx``.
    """
    child = start(
        argv,
        stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with child:
        status: Optional[int]
        try:
            status, out, said = shielded(lambda: _talk(child, given, timeout))
        except subprocess.TimeoutExpired:
            status, out, said = None, Value(""), ""
        except BaseException as stopped:
            end(child, isinstance(stopped, KeyboardInterrupt))
            raise
        if status is None:
            end(child)
            raise Timeout(
                f"rhx {argv[1]} did not end in {timeout:g} seconds, and was ended",
                kind="timeout",
                hint="the client's timeout says how long it may take",
            )
    answer = Answer(argv, status, out, said)
    failure = _told(answer)
    if failure is not None:
        raise failure
    return answer


def start(argv: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a program of rhx."""
    try:
        return subprocess.Popen(list(argv), **options)
    except OSError as e:
        if isinstance(e, FileNotFoundError) and e.filename != argv[0]:  # the folder of cwd=
            raise
        why = e.strerror or str(e)
    raise NotInstalled(
        f"{argv[0]} cannot be started: {why}",
        hint="the client's program names another one; python -m rhx version tries it",
    )


def end(child: subprocess.Popen[Any], interrupted: bool = False) -> None:
    """Have a program end in order: asked, and where that does not help, at once.

    Where Ctrl-C interrupted this program, the terminal has told the other one as well, and
    it has time to end its work before it is asked again.
    """
    try:
        for ask in [lambda: None, child.terminate] if interrupted else [child.terminate]:
            ask()
            try:
                shielded(lambda: child.communicate(timeout=GRACE))
                return
            except subprocess.TimeoutExpired:
                pass
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def _talk(child: subprocess.Popen[bytes], given: Optional[Value], timeout: Optional[float]) -> tuple[int, Value, str]:
    out, said = child.communicate(None if given is None else given.reveal_bytes(), timeout=timeout)
    return child.returncode, Value(out), said.decode("utf-8", "replace")


def shielded(work: Callable[[], _T]) -> _T:
    """Return work's result; what it raises comes without its frames, which have values."""
    try:
        return work()
    except BaseException as e:
        stopped = e.with_traceback(None)
        stopped.__context__ = None
        if isinstance(stopped, subprocess.TimeoutExpired):
            stopped.output = stopped.stderr = None
    raise stopped


def _told(answer: Answer) -> Optional[Error]:
    """Return the error that rhx reports, and log what it warns of."""
    failure = None
    for line in answer.said.splitlines():
        told = _object(line) if line.startswith("{") else None
        if told is not None and "exit" in told:
            failure = error(
                str(told.get("error", "")),
                hint=str(told.get("hint", "")),
                kind=str(told.get("kind", "failed")),
                status=answer.status,
            )
        elif line.strip():
            log.warning("%s", line)
    if failure is None and answer.status != 0 and not answer.out:
        what = f"was ended by signal {-answer.status}" if answer.status < 0 else f"ended with status {answer.status}"
        failure = error(f"rhx {answer.argv[1]} {what}, and did not say why", kind="failed", status=answer.status)
    return failure


def _object(text: str) -> Optional[dict[str, Any]]:
    try:
        data = json.loads(text)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def read(answer: Answer, what: Callable[[Any], _T]) -> _T:
    """Return what a function makes of the JSON that a program wrote.

    The function sees values as they are, and returns none of them as text.
    """

    def make() -> Optional[tuple[_T]]:
        try:
            return (what(json.loads(answer.out.reveal_bytes())),)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None

    made = shielded(make)
    if made is None:
        raise Error(
            f"rhx {answer.argv[1]} answered what this module does not understand",
            hint=f"{answer.argv[0]} is {_version(answer.argv[0])}; this module is of rhx {own_version()}",
            status=answer.status,
        )
    return made[0]


def each(found: Any) -> list[Any]:
    """Return the elements of an answer that is to be a list."""
    if not isinstance(found, list):
        raise TypeError
    return found


def _version(program: str) -> str:
    try:
        told = subprocess.run([program, "version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "of no known version"
    said = re.match(r"rhx [\w.+-]{1,60}", told.stdout.decode("utf-8", "replace"))
    return said[0] if said else "of no known version"


def own_version() -> str:
    """Return the version of this module."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("rhx")
    except PackageNotFoundError:  # from a checkout
        return "unknown"
