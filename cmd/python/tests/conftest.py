"""Each test has a home folder of its own, and the real rhx of PATH.

The Go test beside this folder builds rhx, starts an SSH server and runs pytest; it gives
by variables what cannot be found: RHX_TEST_SSH, the server's block of ssh_config, and
RHX_TEST_HOST_HOME, the home folder there. The host is called "box".
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

#: A value that must be seen nowhere.
CANARY = "canary-FAKE-" + "0123456789abcdef"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new home folder, which is the working folder, too."""
    path = tmp_path / "home"
    path.mkdir(mode=0o700)
    for name in os.environ:
        if not name.startswith(("RHX_TEST_", "PYTEST_", "PYTHON")) and name not in ("PATH", "TMPDIR", "SYSTEMROOT"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(path))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.chdir(path)
    return path


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of the host "box", which is empty."""
    config, ssh = tmp_path / "ssh_config", tmp_path / "ssh" / "ssh"
    config.write_text(os.environ["RHX_TEST_SSH"])
    ssh.parent.mkdir()
    # ssh takes the home folder from the user database.
    ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
    ssh.chmod(0o700)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    there = Path(os.environ["RHX_TEST_HOST_HOME"])
    for left in there.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    return there


@pytest.fixture
def aws(home: Path) -> Path:
    """A file of AWS with two profiles."""
    path = home / ".aws" / "credentials"
    path.parent.mkdir(mode=0o700)
    path.write_text(
        f"# mine\n[default]\naws_access_key_id = ABCD_KEY\naws_secret_access_key = {CANARY}\n"
        "[prod]\naws_access_key_id = EFGH_KEY\naws_secret_access_key = 5678_KEY\n"
    )
    path.chmod(0o600)
    return path


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    """Makes a program for /bin/sh that stands in for rhx, and returns its path."""

    def make(text: str) -> str:
        path = tmp_path / "fake" / "rhx"
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o700)
        return str(path)

    return make


def rhx_says(*words: str) -> str:
    """What the program itself prints, to compare with."""
    return subprocess.run(["rhx", *words], check=True, capture_output=True, text=True).stdout
