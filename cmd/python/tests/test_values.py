"""Values show themselves to nobody who does not ask."""

from __future__ import annotations

import copy
import io
import json
import logging
import os
import pickle
import pprint
import traceback
from collections.abc import Callable

import pytest
from conftest import CANARY

from rhx import Value, Values

VALUE = Value(CANARY)
SHOWN: dict[str, Callable[[], str]] = {
    "str": lambda: str(VALUE),
    "repr": lambda: repr(VALUE),
    "format": lambda: f"{VALUE} {VALUE!r:>12} {VALUE:<12}" + "{:s}".format(VALUE),
    "percent": lambda: "%s %r" % (VALUE, VALUE),
    "in a list": lambda: str([VALUE]),
    "values": lambda: f"{Values({'key': CANARY})} {Values({'key': VALUE})!r}",
    "pprint": lambda: pprint.pformat({"a": Values({"key": CANARY}), "b": VALUE}),
    "json's default": lambda: json.dumps({"a": VALUE}, default=str),
    "what it is made of": lambda: str(
        [getattr(VALUE, name, None) for name in dir(VALUE) if not name.startswith("reveal")]
    ),
    "an error": lambda: _error(lambda: {}[VALUE]),  # type: ignore[index]
}


@pytest.mark.parametrize("way", SHOWN)
def test_is_not_shown(way: str) -> None:
    text = SHOWN[way]()
    assert "********" in text or "Value" in text
    assert CANARY not in text


REFUSED: dict[str, Callable[[], object]] = {
    "json": lambda: json.dumps(VALUE),
    "json of values": lambda: json.dumps(Values({"key": CANARY})),
    "pickle": lambda: pickle.dumps(VALUE),
    "pickle of values": lambda: pickle.dumps(Values({"key": CANARY})),
    "+": lambda: "Bearer " + VALUE,  # type: ignore[operator]
    "join": lambda: "".join([VALUE]),  # type: ignore[list-item]
    "an environment": lambda: os.environ.update(KEY=VALUE),  # type: ignore[call-overload]
    "a hash": lambda: {VALUE},
}


@pytest.mark.parametrize("way", REFUSED)
def test_is_refused(way: str) -> None:
    with pytest.raises(TypeError) as e:
        REFUSED[way]()
    assert CANARY not in str(e.value)


def _error(call: Callable[[], object]) -> str:
    try:
        call()
    except Exception as e:
        return "".join(traceback.TracebackException.from_exception(e, capture_locals=True).format())
    raise AssertionError("no error")


def test_logging_shows_asterisks() -> None:
    log, out = logging.Logger("test"), io.StringIO()
    log.addHandler(logging.StreamHandler(out))
    log.error("the key %s of %r", VALUE, {"all": Values({"key": CANARY})})
    assert out.getvalue() == "the key ******** of {'all': {'key': ********}}\n"


def test_locals_of_a_traceback_show_asterisks() -> None:
    def fails(key: Value) -> None:
        keys = [key, Values({"key": CANARY})]
        raise LookupError(f"not with {keys}")

    text = _error(lambda: fails(VALUE))
    assert "keys = [********, {'key': ********}]" in text
    assert CANARY not in text


def test_reveal() -> None:
    assert VALUE.reveal() == CANARY
    assert VALUE.reveal_bytes() == CANARY.encode()
    assert Values({"a": "1", "b": Value("2")}).reveal() == {"a": "1", "b": "2"}


def test_bytes_that_are_no_text_are_kept() -> None:
    raw = b"a\xff\xfe\x00b"
    assert Value(raw).reveal_bytes() == raw
    assert Value(Value(raw).reveal()).reveal_bytes() == raw
    assert os.fsencode(Value(raw).reveal()) == raw


@pytest.mark.parametrize("wrong", [5, None, VALUE, "\ud800"])
def test_what_is_no_value(wrong: object) -> None:
    with pytest.raises((TypeError, ValueError)) as e:
        Value(wrong)  # type: ignore[arg-type]
    assert not isinstance(e.value, UnicodeError)  # which holds the text


def test_equality() -> None:
    assert Value("x") == "x"
    assert Value("x") == Value(b"x")
    assert Value("x") != "y"
    assert Value("x") != b"x"
    assert Values({"a": "1"}) == {"a": "1"}
    assert Values({"a": "1"}) != {"a": "2"}
    assert copy.deepcopy([VALUE])[0] is VALUE is copy.copy(VALUE)
    assert Value("x") and not Value("")


def test_values_are_a_mapping() -> None:
    values = Values({"user": "u", "password": CANARY})
    assert list(values) == ["user", "password"]
    assert len(values) == 2
    assert "user" in values
    with pytest.raises(KeyError):
        values["nokey"]
