"""The functions, with the real rhx."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from conftest import CANARY, rhx_says

import rhx


def test_a_secret_of_given_values() -> None:
    mine = rhx.secret("mine", {"key": CANARY})
    assert repr(mine) == "<rhx.Secret 'mine', not in the store>"
    assert mine.values == {"key": CANARY}
    assert mine.save() is mine
    assert repr(mine) == "<rhx.Secret 'mine', version 1>"
    again = rhx.secret("mine")
    assert (again.name, again.provider, again.version) == ("mine", "", 1)
    assert again.updated is not None
    assert abs(datetime.now(timezone.utc) - again.updated) < timedelta(minutes=5)
    assert again.values == {"key": CANARY}
    assert rhx_says("get", "mine") == CANARY


def test_a_name_says_the_provider_and_its_keys() -> None:
    assert rhx.secret("openai", {"api_key": "sk"}).save().provider == "openai"
    with pytest.raises(rhx.Error) as e:
        rhx.secret("pinecone", {"key": "x"}).save()
    assert (e.value.kind, e.value.status) == ("usage", 2)
    assert "its values are api_key" in e.value.hint
    assert rhx.secret("pinecone", {"key": "x"}, provider="none").save().provider == ""


def test_saving_again_makes_a_version_only_of_other_values() -> None:
    assert rhx.secret("mine", {"key": "1"}).save().version == 1
    assert rhx.secret("mine", {"key": "1"}).save().version == 1
    assert rhx.secret("mine", {"key": "2"}).save().version == 2
    assert rhx.secret("mine", version=1).values == {"key": "1"}
    assert rhx.secret("mine").values == {"key": "2"}
    with pytest.raises(rhx.Error, match="version 1 of mine"):
        rhx.secret("mine", version=1).save("other")


def test_a_copy_under_another_name(aws: Path) -> None:
    secret = rhx.provider_secret("aws").save()
    assert secret.save() is secret
    assert secret.save("aws/copy").name == "aws/copy"
    assert rhx.secret("aws/copy").provider == "aws"
    assert [s.name for s in rhx.secrets()] == ["aws", "aws/copy"]
    assert [s.name for s in rhx.secrets("*copy*")] == ["aws/copy"]
    assert rhx.secrets()[1].values["access_key"] == "ABCD_KEY"


def test_what_is_not_there() -> None:
    rhx.secret("openai", {"api_key": "sk"}).save()
    with pytest.raises(rhx.NotFound) as e:
        rhx.secret("opnai")
    assert str(e.value) == 'no secret "opnai" in the local store\n  did you mean openai?'
    assert (e.value.kind, e.value.status, e.value.hint) == ("not_found", 1, "did you mean openai?")
    same = pickle.loads(pickle.dumps(e.value))
    assert (type(same), str(same), same.status) == (rhx.NotFound, str(e.value), 1)
    with pytest.raises(rhx.NotFound):
        rhx.secret("openai", version=7)
    with pytest.raises(rhx.NotFound, match="no aws on this machine"):
        rhx.provider_secret("aws")
    with pytest.raises(rhx.Error, match="unknown provider"):
        rhx.provider_secret("nosuch")


def test_a_provider_secret_of_this_machine(aws: Path) -> None:
    secret = rhx.provider_secret("aws")
    assert (secret.path, secret.provider, secret.version) == ("~/.aws/credentials", "aws", 0)
    assert secret.values == {"access_key": "ABCD_KEY", "secret_key": CANARY}
    assert [s.name for s in rhx.detect()] == ["aws", "aws/prod"]
    prod = rhx.provider_secret("aws", profile="prod")
    assert prod.values["access_key"] == "EFGH_KEY"
    assert prod.save().name == "aws/prod"
    assert rhx.provider_secret("aws", "ci/aws", profile="prod").save().values["secret_key"] == "5678_KEY"
    with pytest.raises(rhx.NotFound):
        rhx.provider_secret("aws", profile="nosuch")


def test_values_are_read_when_they_are_asked_for(aws: Path) -> None:
    rhx.provider_secret("aws").save()
    secret = rhx.secret("aws")
    rhx.secret("aws", {"access_key": "NEWER_KEY", "secret_key": "x"}).save()
    assert secret.version == 1
    assert secret.values["access_key"] == "NEWER_KEY"
    assert secret.version == 2


def test_a_file_of_another_path(home: Path) -> None:
    (home / "mine").write_text("[default]\naws_access_key_id = CUSTOM_KEY\naws_secret_access_key = x\n")
    secret = rhx.provider_secret("aws", "aws/custom", path="mine")
    assert secret.path == "mine"
    with pytest.raises(rhx.Error, match="not read before it is saved"):
        secret.values
    assert secret.save().values["access_key"] == "CUSTOM_KEY"
    assert rhx.secret("aws/custom").path == "~/mine"


def test_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "openai_key")
    secret = rhx.provider_secret("openai")
    assert (secret.path, secret.locations) == (None, ["$OPENAI_API_KEY"])
    assert secret.values == {"api_key": "openai_key"}
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(rhx.NotFound):  # and not values of before
        rhx.provider_secret("openai")
    with pytest.raises(rhx.NotFound, match="openai is no longer on this machine"):
        rhx.detect()
        secret._values = None
        secret.values


def test_a_broken_file_is_no_missing_one(aws: Path, caplog: pytest.LogCaptureFixture) -> None:
    aws.write_text("[default\n")
    with pytest.raises(rhx.Error, match=r"aws: .*line 1") as e:
        rhx.provider_secret("aws")
    assert not isinstance(e.value, rhx.NotFound)
    assert rhx.detect() == []
    assert "line 1" in caplog.text


def test_load(aws: Path) -> None:
    was = aws.read_text()
    secret = rhx.provider_secret("aws").save()
    assert [p.action for p in secret.load()] == ["unchanged"]
    aws.write_text(was.replace(CANARY, "other"))
    with pytest.raises(rhx.Conflict) as e:
        secret.load()
    assert "secret_key" in str(e.value) and CANARY not in str(e.value)
    assert [p.keys for p in e.value.placed] == [("secret_key",)]
    assert [p.action for p in secret.load(overwrite=True, dry_run=True)] == ["updated"]
    assert aws.read_text() != was
    assert [p.action for p in secret.load(overwrite=True)] == ["updated"]
    assert aws.read_text() == was
    (placed,) = secret.load("elsewhere")
    assert (placed.machine, placed.secret, placed.action, placed.path) == ("local", "aws", "created", "~/elsewhere")


def test_load_of_variables(home: Path) -> None:
    secret = rhx.secret("openai", {"api_key": "sk"}).save()
    with pytest.raises(rhx.Error, match="openai: it has variables only, no file"):
        secret.load()
    (placed,) = secret.load(env=True)
    assert (placed.action, placed.var) == ("created", "OPENAI_API_KEY")


def test_delete(aws: Path) -> None:
    secret = rhx.provider_secret("aws").save()
    secret.delete(contents=True)
    assert CANARY not in aws.read_text() and "[prod]" in aws.read_text()
    with pytest.raises(rhx.NotFound, match='no secret "aws"') as e:
        rhx.secret("aws")
    assert "rhx undelete aws" in e.value.hint
    with pytest.raises(rhx.Error, match='no secret "aws"'):
        secret.delete()
    rhx.secret("mine", {"key": "1"}).save().delete(destroy=True)


def test_what_is_not_saved_goes_nowhere() -> None:
    secret = rhx.secret("mine", {"key": "1"})
    for use in (
        secret.load,
        secret.delete,
        lambda: secret.to("box"),
        lambda: rhx.env(secret),
        lambda: rhx.run(["true"], secret),
    ):
        with pytest.raises(rhx.Error, match="mine is not in the store") as e:
            use()
        assert (e.value.kind, e.value.hint) == ("usage", ".save() puts it there")


def test_env(aws: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = rhx.provider_secret("aws").save()
    rhx.secret("openai", {"api_key": "sk"}).save()
    env = rhx.env(["openai", secret])
    assert env == {"AWS_ACCESS_KEY_ID": "ABCD_KEY", "AWS_SECRET_ACCESS_KEY": CANARY, "OPENAI_API_KEY": "sk"}
    assert CANARY not in repr(env)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    os.environ.update(rhx.env("openai").reveal())
    assert os.environ["OPENAI_API_KEY"] == "sk"
    with pytest.raises(rhx.NotFound):
        rhx.env("nosuch")


def test_a_bundle(home: Path) -> None:
    rhx.secret("openai", {"api_key": "sk"}).save()
    (home / "rhx.yaml").write_text(
        "version: 1\nsecrets:\n  openai: {}\nbundles:\n  train:\n    secrets: [openai]\n    env: {MODE: fast}\n"
    )
    rhx_says("trust")
    assert rhx.env(bundle="train") == {"OPENAI_API_KEY": "sk", "MODE": "fast"}
    done = rhx.run(["sh", "-c", "echo $MODE"], bundle=["train"], capture_output=True, text=True)
    assert done.stdout == "fast\n"


def test_run() -> None:
    secret = rhx.secret("openai", {"api_key": CANARY}).save()
    show = ["sh", "-c", "echo $OPENAI_API_KEY; cat; exit 3"]
    done = rhx.run(show, secret, input="in", capture_output=True, text=True)
    assert (done.args, done.returncode, done.stdout, done.stderr) == (show, 3, CANARY + "\nin", "")
    assert rhx.run(show, ["openai"], mask=True, input=b"", stdout=subprocess.PIPE).stdout == b"********\n"
    with pytest.raises(subprocess.CalledProcessError) as e:
        rhx.run(["sh", "-c", "exit 4"], "openai", check=True)
    assert e.value.returncode == 4
    assert rhx.run(["/no/such/program"], "openai", capture_output=True).returncode == 127
    assert b'no secret "nosuch"' in rhx.run(["true"], "nosuch", capture_output=True).stderr
    with pytest.raises(TypeError):
        rhx.run("true", "openai")
    with pytest.raises(FileNotFoundError, match="nofolder"):
        rhx.run(["true"], "openai", cwd="nofolder")


def test_a_command_whose_time_is_over_is_asked_to_end() -> None:
    rhx.secret("openai", {"api_key": "sk"}).save()
    polite = ["sh", "-c", "trap 'echo ended; exit 0' TERM; echo started; while :; do sleep 0.05; done"]
    with pytest.raises(subprocess.TimeoutExpired) as e:
        rhx.run(polite, "openai", timeout=2, stdout=open("out", "w"))
    assert e.value.cmd == polite
    assert Path("out").read_text() == "started\nended\n"


def test_to_a_host(aws: Path, box: Path) -> None:
    secret = rhx.provider_secret("aws").save()
    (placed,) = secret.to("box")
    assert (placed.machine, placed.secret, placed.action, placed.path) == (
        "box",
        "aws",
        "created",
        "~/.aws/credentials",
    )
    there = box / ".aws" / "credentials"
    assert CANARY in there.read_text()
    assert [p.action for p in rhx.sync("box", "aws")] == ["unchanged"]
    there.write_text(there.read_text().replace(CANARY, "other"))
    with pytest.raises(rhx.Conflict, match="box: aws: .* secret_key"):
        secret.to("box")
    assert [p.action for p in secret.to("box", overwrite=True)] == ["updated"]
    rhx.secret("openai", {"api_key": "sk"}).save()
    done = rhx.run(["sh", "-c", "echo $OPENAI_API_KEY $HOME"], "openai", on="box", capture_output=True, text=True)
    assert done.stdout == f"sk {box}\n"


def test_one_of_two_hosts_fails(aws: Path, box: Path) -> None:
    secret = rhx.provider_secret("aws").save()
    with pytest.raises(rhx.Error, match=r"nohost\.invalid: aws: ") as e:
        secret.to("box", "nohost.invalid", path="~/second")
    assert (e.value.kind, e.value.status) == ("partial", 3)
    assert sorted((p.machine, p.action) for p in e.value.placed) == [("box", "created"), ("nohost.invalid", "failed")]


def test_bytes_that_are_no_text(home: Path) -> None:
    raw = b"a\xff\xfeb\n"
    (home / "raw").write_bytes(raw)
    rhx_says("save", "odd", "key=@raw")
    assert rhx.secret("odd").values["key"].reveal_bytes() == raw
    os.environb[b"OPENAI_API_KEY"] = b"sk-\xff"
    try:
        assert rhx.provider_secret("openai").values["api_key"].reveal_bytes() == b"sk-\xff"
    finally:
        del os.environb[b"OPENAI_API_KEY"]
    rhx.secret("real", {"key": "\ufffd, the character"}).save()
    assert rhx.secret("real").values == {"key": "\ufffd, the character"}
    with pytest.raises(rhx.Error, match="the value key is not UTF-8") as e:
        rhx.secret("other", {"key": raw}).save()
    assert "key=@FILE" in e.value.hint


@pytest.mark.parametrize("text", ["", " x ", "a\nb\n", "é\U0001f511\x00\x1b[31m", '"\\', "x" * 300_000])
def test_values_come_back_as_they_were(text: str) -> None:
    saved = rhx.secret("mine", {"key": text, "other": "x"}).save(allow_empty=True)
    assert saved.values == {"key": text, "other": "x"}


def test_another_store_and_a_reason(tmp_path: Path) -> None:
    client = rhx.Client(reason="for the test")
    client.secret("mine", {"key": "1"}).save()
    client.secret("mine").values
    client.secrets(), client.env("mine"), client.providers()
    assert "for the test" in rhx_says("log")
    with pytest.raises(rhx.Error, match="nosuch://x"):
        rhx.Client(store="nosuch://x").secrets()


def test_providers() -> None:
    assert {"aws", "openai", "ssh", "lambda"} <= set(rhx.providers())


def test_threads() -> None:
    rhx.secret("mine", {"key": "0"}).save()
    failed: list[BaseException] = []

    def work(n: int) -> None:
        try:
            rhx.secret(f"mine{n}", {"key": str(n)}).save()
            assert rhx.secret(f"mine{n}").values == {"key": str(n)}
        except BaseException as e:
            failed.append(e)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failed == []


def test_the_program_itself() -> None:
    done = subprocess.run([sys.executable, "-m", "rhx", "version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("rhx ")
    assert subprocess.run([sys.executable, "-m", "rhx", "nosuch"], stderr=subprocess.DEVNULL).returncode == 2
