"""What goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._secret import Placed


class Error(Exception):
    """What rhx says went wrong: what failed and why, and in ``hint`` what to do.

    ``kind`` is ``failed``, ``usage`` (wrong arguments, unknown names), ``partial`` (the
    rest is done), ``not_found``, ``denied``, ``conflict`` or ``timeout``. ``status`` is
    the exit status of rhx; 0 where this module itself has found the fault. ``placed`` has
    what became of each part where a command brings secrets to several places.
    """

    def __init__(
        self, message: str, *, hint: str = "", kind: str = "failed", status: int = 0, placed: Sequence[Placed] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.kind = kind
        self.status = status
        self.placed = list(placed)

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message

    def __reduce__(self) -> Any:
        return type(self)._again, (self.message, {k: v for k, v in vars(self).items() if k != "message"})

    @classmethod
    def _again(cls, message: str, details: dict[str, Any]) -> Error:
        return cls(message, **details)


class NotFound(Error):
    """The store, or this machine, has no such secret."""


class Denied(Error):
    """The store refused the credentials, or they do not suffice."""


class Conflict(Error):
    """Other values are there, and nothing was changed: ``overwrite=True`` replaces them."""


class Timeout(Error):
    """rhx did not end in the time that the client gives it, and was ended."""


class NotInstalled(Error):
    """There is no program rhx, or it cannot be started."""


def error(message: str, *, kind: str, **details: Any) -> Error:
    """Return the error of a kind."""
    of = {"not_found": NotFound, "denied": Denied, "conflict": Conflict}
    return of.get(kind, Error)(message, kind=kind, **details)
