"""Messages between our processes: what is read, what is refused, and that nothing else comes of a hostile one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.engine.protocol import control
from moby_tui.engine.protocol.message import ForeignVersion, MalformedMessage, Message
from protocol.messages import JSON, REQUESTS


class Inner(Message):
    name: str
    size: int = 3


class Outer(Message):
    VERSION = 2

    id: str
    inner: Inner
    many: list[Inner] = []
    labels: dict[str, str] = {}
    share: float = 0.5
    note: str | None = None
    anything: object = None


def test_a_message_is_read_back_as_it_was_written() -> None:
    message = Outer(id="a", inner=Inner(name="b"), many=[Inner(name="c", size=7)], labels={"x": "y"}, note="n", anything=[1, {}])
    assert Outer.decode(message.encode()) == message
    assert json.loads(message.encode())["version"] == 2


def test_keys_that_this_version_does_not_know_are_ignored() -> None:
    assert Inner.from_values({"name": "a", "later": {"x": 1}}) == Inner(name="a")


def test_defaults_are_not_shared() -> None:
    one, other = Outer(id="a", inner=Inner(name="b")), Outer(id="a", inner=Inner(name="b"))
    one.labels["x"] = "y"
    assert other.labels == {}


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], "expected an object, got a list"),
        ({}, "id is missing"),
        ({"id": 1}, "id: expected a string, got an integer"),
        ({"id": None}, "id: expected a string, got null"),
        ({"id": "a", "inner": "b"}, "inner: expected an object, got a string"),
        ({"id": "a", "inner": {"name": "b", "size": True}}, "size: expected an integer, got true or false"),
        ({"id": "a", "inner": {"name": "b"}, "many": [{}]}, "many: name is missing"),
        ({"id": "a", "inner": {"name": "b"}, "labels": {"x": 1}}, "labels: expected a string"),
        ({"id": "a", "inner": {"name": "b"}, "version": "2"}, "version is not a number"),
    ],
)
def test_what_is_wrong_is_named(values: object, text: str) -> None:
    with pytest.raises(MalformedMessage, match=text):
        Outer.from_values(values)


def test_a_later_version_is_refused_by_name() -> None:
    with pytest.raises(ForeignVersion, match="a later moby"):
        Outer.from_values({"id": "a", "inner": {"name": "b"}, "version": 3})


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 200_000, b"1" * 10_000, b"nul"])
def test_text_that_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        Outer.decode(data)


@given(REQUESTS | JSON)
def test_a_request_is_read_or_refused(values: object) -> None:
    try:
        request = control.read_request(json.dumps(values).encode())
    except MalformedMessage as error:
        assert "\n" not in str(error)
        return
    assert control.read_request(request.encode()) == request


@given(st.binary(max_size=200))
def test_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        control.read_request(b"[" + data)
