"""Secret values, which show themselves to nobody who does not ask."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Union

_SHOWN = "********"


class Value:
    """A secret value. It prints as ``********``; :meth:`reveal` gives the text.

    It is no ``str``: ``str``, ``repr``, ``format``, ``%``, logging and a traceback that
    prints locals show asterisks, and whatever needs a real string (``"".join``, ``+``,
    ``json.dumps``, ``os.environ``) refuses it. It cannot be pickled.
    """

    __slots__ = ("_content",)

    def __init__(self, content: Union[str, bytes]) -> None:
        data = _bytes(content)
        # In a closure, where nothing that walks over attributes finds it.
        self._content: Callable[[], bytes] = lambda: data

    def reveal(self) -> str:
        """Return the value as text.

        Bytes that are not UTF-8 become lone surrogates (``surrogateescape``), as in
        ``os.environ``, so that no byte is lost on the way to a program.
        """
        return self._content().decode("utf-8", "surrogateescape")

    def reveal_bytes(self) -> bytes:
        """Return the value, byte for byte."""
        return self._content()

    def __repr__(self) -> str:
        return _SHOWN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(_SHOWN, spec)

    def __bool__(self) -> bool:
        return bool(self._content())

    def __eq__(self, other: object) -> bool:
        """Compare with another value or a text, in a time that tells nothing."""
        if isinstance(other, str):
            other = Value(other)
        if not isinstance(other, Value):
            return NotImplemented
        return hmac.compare_digest(self._content(), other._content())

    __hash__ = None  # type: ignore[assignment]  # a hash would tell two equal ones

    def __copy__(self) -> Value:
        return self

    def __deepcopy__(self, memo: Any) -> Value:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("a secret value is not pickled; pass the secret's name, and ask rhx for it there")


def _bytes(content: Union[str, bytes]) -> bytes:
    if isinstance(content, bytes):
        return content
    if not isinstance(content, str):
        raise TypeError(f"a secret value is str or bytes, not {type(content).__name__}")
    try:
        return content.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        pass  # the error holds the text
    raise ValueError("a secret value holds half of a surrogate pair, which is no character")


class Values(Mapping[str, Value]):
    """Secret values by their keys, or by the variables that hold them."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Union[str, bytes, Value]]) -> None:
        self._values = {k: v if isinstance(v, Value) else Value(v) for k, v in values.items()}

    def reveal(self) -> dict[str, str]:
        """Return all of them as texts: ``os.environ.update(rhx.env("openai").reveal())``."""
        return {k: v.reveal() for k, v in self._values.items()}

    def __getitem__(self, key: str) -> Value:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)
