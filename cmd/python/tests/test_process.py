"""How the program is found, asked and ended, and that no value is where others see it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CANARY

import rhx
from rhx import _process

Script = Callable[[str], str]


def test_no_value_is_an_argument_or_a_variable(script: Script, aws: Path, home: Path) -> None:
    real = shutil.which("rhx")
    client = rhx.Client(program=script(f'{{ echo "$@"; env; }} >> "{home}/seen"\nexec "{real}" "$@"\n'))
    secret = client.secret("mine", {"key": CANARY}).save()
    client.provider_secret("aws", values={"access_key": "A", "secret_key": CANARY}).save()
    client.provider_secret("aws").values
    assert secret.values == {"key": CANARY}
    client.env("aws")
    client.run(["true"], "aws")
    client.secret("aws").load("elsewhere")
    with pytest.raises(rhx.Error):
        client.secret("openai", {"wrong": CANARY}).save()
    secret.delete()
    seen = (home / "seen").read_text()
    assert seen.count("--output=json") > 10
    assert CANARY not in seen


def test_it_is_the_one_beside_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "rhx.exe" if os.name == "nt" else "rhx"
    for folder in ("venv", "path"):
        (tmp_path / folder).mkdir()
        shutil.copy("/bin/true", tmp_path / folder / name)
    paths = {"scripts": str(tmp_path / "venv")}
    monkeypatch.setattr(sysconfig, "get_path", lambda which, scheme=None: paths.get(which, ""))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(_process, "__file__", str(tmp_path / "nowhere" / "rhx" / "_process.py"))
    assert _process.find() == str(tmp_path / "venv" / name)
    os.chmod(tmp_path / "venv" / name, 0o600)  # no program
    assert _process.find() == str(tmp_path / "path" / name)
    (tmp_path / "nowhere" / "bin").mkdir(parents=True)
    shutil.copy("/bin/true", tmp_path / "nowhere" / "bin" / name)  # of pip install --target
    assert _process.find() == str(tmp_path / "nowhere" / "bin" / name)
    shutil.rmtree(tmp_path / "nowhere")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(rhx.NotInstalled, match="is not there") as e:
        rhx.secrets()
    assert "wheel" in e.value.hint


def test_what_cannot_be_started(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o700)
    for program in (str(tmp_path / "text"), str(tmp_path), str(tmp_path / "nosuch")):
        with pytest.raises(rhx.NotInstalled, match=f"{program} cannot be started"):
            rhx.Client(program=program).secrets()


@pytest.mark.parametrize(
    "answer",
    ["", "{}", "[1]", '[{"name": "x"}]', "null", "nonsense", "[" * 100_000, '{"name": "x", "values": 7}', "\\377"],
)
def test_a_program_of_another_version(script: Script, answer: str, tmp_path: Path) -> None:
    (tmp_path / "answer").write_text(answer)
    client = rhx.Client(program=script(f'case "$1" in version) echo rhx 99;; *) cat "{tmp_path}/answer";; esac'))
    for ask in (
        client.secrets,
        lambda: client.secret("x"),
        client.detect,
        lambda: client.secret("x", {"k": "v"}).save(),
    ):
        with pytest.raises(rhx.Error, match="what this module does not understand") as e:
            ask()
        assert "is rhx 99; this module is of rhx" in e.value.hint


def test_an_end_without_a_word(script: Script) -> None:
    with pytest.raises(rhx.Error, match="rhx list ended with status 9, and did not say why") as e:
        rhx.Client(program=script("exit 9")).secrets()
    assert (e.value.kind, e.value.status) == ("failed", 9)
    with pytest.raises(rhx.Error, match="rhx list was ended by signal 9"):
        rhx.Client(program=script("kill -KILL $$")).secrets()


@pytest.mark.parametrize("kind", ["not_found", "denied", "conflict", "usage", "partial", "failed", "new"])
def test_kinds_of_errors(script: Script, kind: str) -> None:
    of = {"not_found": rhx.NotFound, "denied": rhx.Denied, "conflict": rhx.Conflict}
    said = f'{{"error":"it {{failed}}","hint":"do this","kind":"{kind}","exit":5}}'
    with pytest.raises(rhx.Error, match="it {failed}") as e:
        rhx.Client(program=script(f"echo '{said}' >&2; exit 5")).secrets()
    assert type(e.value) is of.get(kind, rhx.Error)
    assert (e.value.kind, e.value.status, e.value.hint) == (kind, 5, "do this")


def test_warnings_go_to_the_logger(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    assert rhx.Client(program=script("echo 'rhx: mind this' >&2; echo '[]'")).secrets() == []
    assert caplog.messages == ["rhx: mind this"]


def test_much_is_read_and_written(script: Script) -> None:
    big = "x" * 1_000_000
    client = rhx.Client(program=script("head -c 300000 /dev/zero | tr '\\0' 'e' >&2; cat; exit 1"))
    with pytest.raises(rhx.Error, match="does not understand"):
        client.secret("mine", {"key": big}).save()


def test_timeout(script: Script) -> None:
    program = script("trap 'echo told >> told; exit' TERM; while :; do sleep 0.05; done")
    with pytest.raises(rhx.Timeout, match=r"rhx list did not end in 0\.3 seconds") as e:
        rhx.Client(program=program, timeout=0.3).secrets()
    assert e.value.kind == "timeout"
    assert Path("told").read_text() == "told\n"


def test_what_does_not_end_when_it_is_told_is_killed(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_process, "GRACE", 0.3)
    program = script("trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done")
    with pytest.raises(rhx.Timeout):
        rhx.Client(program=program, timeout=0.3).secrets()
    with pytest.raises(ProcessLookupError):
        os.kill(int(Path("pid").read_text()), 0)


INTERRUPTED = """
import rhx, sys
try:
    rhx.Client(program=sys.argv[1]).secret("mine", {"key": sys.argv[2]}).save()
except KeyboardInterrupt as e:
    import traceback
    text = "".join(traceback.TracebackException.from_exception(e, capture_locals=True).format())
    assert "_process.py" in text, text
    print("in order" if sys.argv[2] not in text.replace(repr(sys.argv), "") else text, open("ended").read())
"""


@pytest.mark.parametrize("group", [True, False])
def test_an_interrupt_lets_it_end_in_order(script: Script, monkeypatch: pytest.MonkeyPatch, group: bool) -> None:
    # A terminal tells both programs; kill -INT tells Python alone, which passes it on.
    program = script(
        "trap 'sleep 0.3; echo ended >> ended; exit 130' INT TERM; touch started; while :; do sleep 0.05; done"
    )
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            INTERRUPTED.replace("import rhx, sys", "import rhx, sys; rhx._process.GRACE = 1"),
            program,
            CANARY,
        ],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 20
    while not Path("started").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    (os.killpg if group else os.kill)(child.pid, signal.SIGINT)
    assert child.communicate()[0] == "in order ended\n\n"


def test_no_value_is_in_the_locals_of_a_traceback(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    given = rhx.Values({"key": CANARY})
    wrong = f'[{{"name": "mine", "provider": "", "state": "value", "values": {{"key": "{CANARY}"}}}}]'
    client = rhx.Client(program=script(f"cat; cat <<'E'\n{wrong}\nE\nsleep 3"), timeout=0.3)
    understood = rhx.Client(program=script(f"echo '{wrong}'"))

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    calls: list[Callable[[], object]] = [
        lambda: client.secret("mine", given).save(),  # a timeout
        lambda: understood.secret("mine", given).save(),  # not understood
        lambda: understood.env("mine"),
        lambda: understood.detect()[0].values["nokey"],
    ]
    shown = [_locals_of(call) for call in calls]
    monkeypatch.setattr("json.loads", interrupted)
    shown.append(_locals_of(calls[2]))
    monkeypatch.setattr("json.dumps", interrupted)
    shown.append(_locals_of(calls[0]))
    for text in shown:
        assert "_process.py" in text or "_value.py" in text
        assert CANARY not in text


def _locals_of(call: Callable[[], object]) -> str:
    try:
        call()
    except BaseException as e:
        chain: list[BaseException] = [e]
        while chain[-1].__context__ is not None:
            chain.append(chain[-1].__context__)
        texts = [traceback.TracebackException.from_exception(c, capture_locals=True).format() for c in chain]
        return "".join("".join(t) for t in texts) + str([vars(c) for c in chain])
    raise AssertionError("no error")
