"""A secret: in the store, on this machine, or of values that a program has."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Optional

from ._errors import Conflict, Error, NotFound
from ._process import Answer, read, shielded
from ._value import Value, Values

if TYPE_CHECKING:
    from ._client import Client


@dataclass(frozen=True)
class Placed:
    """What became of a secret at a place: a file or a variable of a machine.

    ``action`` is ``created``, ``updated``, ``unchanged``, ``conflict`` or ``failed``;
    for the last two ``error`` says why. This machine is ``local``.
    """

    machine: str
    secret: str
    action: str
    path: str = ""
    var: str = ""
    keys: Sequence[str] = ()
    error: str = ""


class Secret:
    """A secret. What it is, and on demand its values.

    ``name``, ``provider`` ("" for one of any keys), ``profile``, ``locations`` (the files
    and variables where it belongs), and for one in the store ``version`` and ``updated``.
    """

    def __init__(
        self, client: Client, name: str, provider: str = "", profile: str = "", *, values: Optional[Values] = None
    ) -> None:
        self._client = client
        self._values = values
        self._show: list[str] = []  # what rhx is asked for its values
        self._save: Optional[list[str]] = None  # what rhx save is given for it; None for one in the store
        self._pinned = False  # it is a version that was asked for
        self.name = name
        self.provider = provider
        self.profile = profile
        self.version = 0
        self.updated: Optional[datetime] = None
        self.locations: list[str] = []

    @property
    def path(self) -> Optional[str]:
        """The first file where it belongs, such as ``~/.aws/credentials``; None for none."""
        return next((where for where in self.locations if not where.startswith("$")), None)

    @property
    def values(self) -> Values:
        """Its values, which redact themselves. They are read when first asked for.

        Of a secret in the store they are those of the newest version at that time, unless
        a version was asked for.
        """
        if self._values is None:
            if not self._show:
                raise Error(
                    f"the values in {self.path or 'that file'} are not read before it is saved",
                    kind="usage",
                    hint=".save() puts them into the store; then .values has them",
                )
            read(self._client.ask(*self._show), self._take)
            assert self._values is not None
        return self._values

    def save(self, name: Optional[str] = None, *, overwrite: bool = False, allow_empty: bool = False) -> Secret:
        """Put it into the store, also under another name, and return it.

        The values that the store has already make no new version. ``overwrite`` saves
        what this machine has although the store has a version that is newer.
        """
        target, given = name or self.name, None
        if self._save is not None and self._values is not None and not self._show:
            words, given = ["save", target, *self._save], _json(self._values)
        elif self._save is not None:
            words = ["save", *self._save, f"--name={target}"]
        elif target == self.name:
            return self
        elif self._pinned:
            raise Error(
                f"version {self.version} of {self.name} is not saved under another name",
                kind="usage",
                hint="rhx.secret(NAME, values=...) has other values",
            )
        else:
            words = ["copy", self.name, target]
        checked(self._client.ask(*words, overwrite and "--overwrite", allow_empty and "--allow-empty", given=given))
        vars(self).update(vars(self._client.secret(target)))
        return self

    def load(
        self,
        path: Optional[str] = None,
        *,
        env: bool = False,
        ttl: Optional[str] = None,
        overwrite: bool = False,
        dry_run: bool = False,
    ) -> list[Placed]:
        """Bring it from the store into its native file on this machine, or into ``path``.

        ``env``: as variables into rhx's env file. ``ttl``: take it out again after this
        time, such as "8h". Other values that are there raise :class:`Conflict`, unless
        ``overwrite`` is given. ``dry_run`` says what would be done.
        """
        flags = [
            path and f"--to={path}",
            env and "--env",
            ttl and f"--ttl={ttl}",
            overwrite and "--overwrite",
            dry_run and "--dry-run",
        ]
        return checked(self._client.ask("load", self._saved(), *flags))

    def to(
        self,
        *hosts: str,
        path: Optional[str] = None,
        env: bool = False,
        ttl: Optional[str] = None,
        overwrite: bool = False,
        accept_new: bool = False,
        dry_run: bool = False,
    ) -> list[Placed]:
        """Bring it from the store onto hosts over SSH; see :meth:`Client.sync`."""
        self._saved()
        return self._client.sync(
            hosts, [self], path=path, env=env, ttl=ttl, overwrite=overwrite, accept_new=accept_new, dry_run=dry_run
        )

    def delete(self, *, contents: bool = False, destroy: bool = False) -> None:
        """Delete it from the store; ``rhx undelete`` brings it back.

        ``contents``: from this machine's files too. ``destroy``: every version, beyond
        recovery.
        """
        checked(self._client.ask("delete", self._saved(), "--yes", contents and "--contents", destroy and "--destroy"))

    def __repr__(self) -> str:
        state = f"version {self.version}" if self._save is None else "not in the store"
        return f"<rhx.Secret {self.name!r}, {state}>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("a secret is not pickled; pass its name, and ask rhx for it there")

    def _saved(self) -> str:
        if self._save is not None:
            raise Error(f"{self.name} is not in the store", kind="usage", hint=".save() puts it there")
        return self.name

    def _describe(self, found: Any) -> Secret:
        """Take what rhx says of it, apart from its values."""
        self.provider, self.profile = found["provider"], found.get("profile", "")
        self.version = found.get("version", 0)
        self.updated = _time(found["updated"]) if "updated" in found else None
        sources = found.get("locations", found.get("sources", []))
        self.locations = [s["path"] if "path" in s else "$" + s["var"] for s in sources]
        return self

    def _take(self, found: Any) -> None:
        """Take the values, too."""
        if isinstance(found, list):
            found = next((f for f in found if f["name"] == self._show[1]), None)
            if found is None:
                raise NotFound(f"{self._show[1]} is no longer on this machine", kind="not_found")
        self._describe(found)
        values = {key: Value(text) for key, text in found.get("values", {}).items()}
        for key, text in found.get("binary", {}).items():
            values[key] = Value(base64.b64decode(text, validate=True))
        self._values = Values(values)


def checked(answer: Answer) -> list[Placed]:
    """Return what rhx says became of secrets; raise where one failed."""
    placed = read(answer, lambda found: [_placed(e) for e in (found if isinstance(found, list) else [found])])
    bad = [p for p in placed if p.action in ("conflict", "failed") or p.error]
    if not bad and answer.status == 0:
        return placed
    message = "; ".join(_line(p) for p in bad[:5]) or f"rhx {answer.argv[1]} ended with status {answer.status}"
    if len(bad) > 5:
        message += f"; and {len(bad) - 5} more"
    if bad and all(p.action == "conflict" for p in bad):
        raise Conflict(
            message,
            kind="conflict",
            status=answer.status,
            placed=placed,
            hint="nothing was changed there; overwrite=True replaces them",
        )
    raise Error(message, kind="partial" if answer.status == 3 else "failed", status=answer.status, placed=placed)


def _line(p: Placed) -> str:
    where = p.secret if p.machine == "local" else f"{p.machine}: {p.secret}"
    return f"{where}: {p.error or p.action}"


def _placed(found: Any) -> Placed:
    return Placed(
        machine=found.get("machine", "local"),
        secret=found["secret"] if "secret" in found else found["name"],
        action=found["action"],
        path=found.get("path", ""),
        var=found.get("var", ""),
        keys=tuple(found.get("keys", ())),
        error=found.get("error", ""),
    )


def _time(text: str) -> datetime:
    """Return a time of RFC 3339, with its nanoseconds cut off."""
    head, dot, tail = text.replace("Z", "+00:00").partition(".")
    if dot:
        digits = tail[: len(tail) - 6]
        head += "." + digits[:6].ljust(6, "0") + tail[len(tail) - 6 :]
    return datetime.fromisoformat(head)


def _json(values: Values) -> Value:
    """Return values as the JSON that rhx save reads."""
    for key, value in values.items():
        try:
            value.reveal_bytes().decode("utf-8")
        except UnicodeDecodeError:
            bad = key
            break
    else:
        return shielded(lambda: Value(json.dumps(values.reveal())))
    raise Error(
        f"the value {bad} is not UTF-8, which JSON cannot hold",
        kind="usage",
        hint=f"rhx save NAME {bad}=@FILE saves any bytes",
    )
