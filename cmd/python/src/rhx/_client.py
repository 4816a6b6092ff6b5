"""What rhx does, as functions."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

from ._errors import Error, NotFound
from ._process import Answer, call, each, end, find, log, read, start
from ._secret import Placed, Secret, checked
from ._value import Value, Values

#: Secrets by their names, or as objects; one of them need not be in a list.
Secrets = Union[str, Secret, Iterable[Union[str, Secret]]]
Names = Union[str, Iterable[str]]


#: Where the values are that rhx does not read.
_ELSEWHERE = {
    "keyring": "its values are in the system's keyring",
    "exec": "its values come from a command, which rhx does not run",
    "sso": "its values come by signing in, which the tool does itself",
    "role": "it is a role, which the tool takes by another profile",
}


@dataclass(frozen=True)
class Client:
    """rhx with options. The functions of this module are those of ``Client()``.

    ``store``: such as ``vault://secret/team``; else what ``RHX_STORE`` and the
    configuration say. ``timeout``: how many seconds an answer may take. ``program``: the
    path of rhx; else the one that came with this module, or that in ``PATH``. ``reason``:
    why, for ``rhx log``. A client can be used by several threads.
    """

    store: Optional[str] = None
    timeout: Optional[float] = None
    program: Optional[str] = None
    reason: Optional[str] = None

    def secret(
        self,
        name: str,
        values: Optional[Mapping[str, Union[str, bytes, Value]]] = None,
        *,
        provider: Optional[str] = None,
        version: Optional[int] = None,
    ) -> Secret:
        """Return a secret of the store; or with ``values`` one to be saved there.

        A name such as ``aws`` or ``aws/prod`` says the provider of given values, which has
        its own keys; ``provider="none"`` takes any keys under any name.
        """
        if values is not None:
            secret = Secret(self, name, provider or "", values=Values(values))
            secret._save = ["--values=-", *([f"--provider={provider}"] if provider else [])]
            return secret
        words = ["show", name, *([f"--version={version}"] if version else [])]
        secret = Secret(self, name)
        read(self.ask(*words), secret._describe)
        secret._show, secret._pinned = [*words, "--reveal"], bool(version)
        return secret

    def provider_secret(
        self,
        provider: str,
        name: Optional[str] = None,
        values: Optional[Mapping[str, Union[str, bytes, Value]]] = None,
        *,
        profile: Optional[str] = None,
        path: Optional[str] = None,
    ) -> Secret:
        """Return a provider's secret: what this machine has, or of given values.

        Without values it is found in the provider's default files, or in ``path``, or in
        its variables. ``profile`` is one of several, such as a section of the file.
        ``name`` is that in the store; else ``provider`` or ``provider/profile``.
        """
        found = f"{provider}/{profile}" if profile else provider
        if values is not None:
            return self.secret(name or found, values, provider=provider)
        secret = Secret(self, found, provider, profile or "")
        if path is not None:
            secret.locations = [path]
            secret._save = [found, f"--from={path}"]
        else:
            there, unreadable = self._detected(found)
            match = next((s for s in there if s.name == found), None)
            if match is None and unreadable:
                raise Error("; ".join(unreadable))
            if match is None:
                raise NotFound(
                    f"no {found} on this machine",
                    kind="not_found",
                    hint=f"rhx providers {provider} says where it is looked for; values= gives what is not here",
                )
            secret = match
        if name is not None:
            secret.name = name
        return secret

    def secrets(self, *patterns: str) -> list[Secret]:
        """Return the secrets of the store, or those of names such as ``"aws*"``."""

        def all_of(found: Any) -> list[Secret]:
            return [self._found(f, ["show", f["name"], "--reveal"]) for f in each(found)]

        return read(self.ask("list", *patterns), all_of)

    def detect(self, *providers: str) -> list[Secret]:
        """Return the secrets that this machine has, or only those of some providers.

        What cannot be read, such as a broken file, goes to the logger ``rhx``.
        """
        there, unreadable = self._detected(*providers)
        for what in unreadable:
            log.warning("%s", what)
        return there

    def providers(self) -> list[str]:
        """Return the names of the providers that rhx knows."""
        return read(self.ask("providers"), lambda found: [str(p["name"]) for p in each(found)])

    def env(self, secrets: Secrets = (), *, bundle: Names = (), unsafe: bool = False) -> Values:
        """Return the variables of secrets, or of bundles of the project's ``rhx.yaml``.

        ``os.environ.update(rhx.env("openai").reveal())`` sets them in this process.
        ``unsafe``: also variables by which programs run others, such as ``LD_PRELOAD``.
        """
        return read(self.ask("env", *_flags(secrets, bundle), unsafe and "--unsafe"), Values)

    def sync(
        self,
        hosts: Names,
        secrets: Secrets = (),
        *,
        bundle: Names = (),
        path: Optional[str] = None,
        env: bool = False,
        ttl: Optional[str] = None,
        overwrite: bool = False,
        accept_new: bool = False,
        dry_run: bool = False,
    ) -> list[Placed]:
        """Bring secrets of the store onto hosts over SSH, in parallel.

        Hosts are as ssh names them, ranges such as ``gpu-[01:64]``, or containers such as
        ``docker:web``. Host keys are always verified; ``accept_new`` adds that of a host
        that is not known. The rest is as with :meth:`Secret.load`.
        """
        flags = [
            path and f"--to={path}",
            env and "--env",
            ttl and f"--ttl={ttl}",
            overwrite and "--overwrite",
            accept_new and "--accept-new",
            dry_run and "--dry-run",
        ]
        return checked(self.ask("sync", *_list(hosts), *_flags(secrets, bundle), *flags))

    def run(
        self,
        command: Sequence[str],
        secrets: Secrets = (),
        *,
        bundle: Names = (),
        on: Names = (),
        mask: bool = False,
        broker: bool = False,
        input: Any = None,
        capture_output: bool = False,
        timeout: Optional[float] = None,
        check: bool = False,
        **options: Any,
    ) -> subprocess.CompletedProcess[Any]:
        """Run a command with secrets in its environment, as :func:`subprocess.run` does.

        ``on``: on hosts. ``mask``: what it writes has ``********`` in place of values.
        ``broker``: it gets placeholders, and a proxy puts the values into its requests.
        ``options`` are those of :class:`subprocess.Popen`. Where rhx does not start the
        command, it says why on the standard error, as ``env`` would, and its exit status
        is 1, 2, 126 or 127. Where the time is over, the command is told to end first, and
        killed only where it does not.
        """
        if isinstance(command, str):
            raise TypeError("the command is a list of words; a shell is one: ['sh', '-c', ...]")
        words = [*self._program(), "run", *self._options(), *_flags(secrets, bundle)]
        words += [f"--on={','.join(_list(on))}"] if on else []
        words += [flag for flag in (mask and "--mask", broker and "--broker") if flag]
        if input is not None:
            options["stdin"] = subprocess.PIPE
        if capture_output:
            options["stdout"] = options["stderr"] = subprocess.PIPE
        with start([*words, "--", *command], **options) as child:
            try:
                out, err = child.communicate(input, timeout=timeout)
            except BaseException as stopped:
                end(child, isinstance(stopped, KeyboardInterrupt))
                if isinstance(stopped, subprocess.TimeoutExpired):
                    stopped.cmd = list(command)
                raise
        done = subprocess.CompletedProcess(list(command), child.returncode, out, err)
        if check:
            done.check_returncode()
        return done

    def ask(self, *words: Union[str, int, None], given: Optional[Value] = None) -> Answer:
        """Ask rhx; words that are not true are left out."""
        said = [w for w in words if isinstance(w, str) and w]
        return call(
            [*self._program(), *said[:1], *self._options(said[0]), "--output=json", *said[1:]], given, self.timeout
        )

    def _program(self) -> list[str]:
        return [self.program or find()]

    def _options(self, command: str = "run") -> list[str]:
        known = command not in ("detect", "providers")
        options = [f"--store={self.store}"] if self.store and known else []
        return options + ([f"--reason={self.reason}"] if self.reason and known and command != "list" else [])

    def _detected(self, *providers: str) -> tuple[list[Secret], list[str]]:
        """Return what this machine has, and why the rest of it cannot be read."""
        there: list[Secret] = []
        unreadable: list[str] = []

        def sort(found: Any) -> None:
            for f in each(found):
                if f.get("project_file"):
                    continue  # the variables of a project, which rhx import dotenv takes
                if f["state"] == "value":
                    there.append(self._found(f, ["detect", f["name"], "--reveal"], save=[f["name"]]))
                else:
                    unreadable.append(f"{f['name']}: " + (f.get("error") or _ELSEWHERE.get(f["state"], f["state"])))

        read(self.ask("detect", *providers), sort)
        return there, unreadable

    def _found(self, what: Any, show: list[str], save: Optional[list[str]] = None) -> Secret:
        secret = Secret(self, what["name"])
        secret._describe(what)
        secret._show, secret._save = show, save
        return secret


def _list(names: Names) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _flags(secrets: Secrets, bundle: Names) -> list[str]:
    """Return the flags that name secrets and bundles."""
    wanted = [secrets] if isinstance(secrets, (str, Secret)) else list(secrets)
    names = [s._saved() if isinstance(s, Secret) else s for s in wanted]
    return [f"--secret={n}" for n in names] + [f"--bundle={n}" for n in _list(bundle)]
