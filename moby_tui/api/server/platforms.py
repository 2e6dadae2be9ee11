"""Platforms as the query of a request has them: an OCI object in JSON, read and refused as dockerd does."""

from __future__ import annotations

import json
from typing import Any

from moby_tui.errors import InvalidArgument

#: What Go calls a JSON value that Python's decoder makes such an object of.
_KINDS: dict[type, str] = {list: "array", str: "string", int: "number", float: "number", bool: "bool", dict: "object"}
_TEXTS = ("os", "architecture", "variant", "os.version")


def decode(text: str) -> str:
    """``os/architecture/variant`` of the object. Raises ``InvalidArgument``."""
    values = _values(_document(text))
    if not (values["os"] and values["architecture"]):
        raise InvalidArgument("both OS and Architecture must be provided")
    return "/".join(filter(None, (values["os"], values["architecture"], values["variant"])))


def _document(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidArgument(f"failed to parse platform: {_refusal(text, error)}") from error
    except RecursionError as error:
        raise InvalidArgument("failed to parse platform: exceeded max depth") from error


def _refusal(text: str, error: json.JSONDecodeError) -> str:
    """What Go's decoder says of the first character that is wrong."""
    if error.pos >= len(text.rstrip()):
        return "unexpected end of JSON input"
    if error.msg.startswith("Expecting value"):
        return f"invalid character {text[error.pos]!r} looking for beginning of value"
    if error.msg == "Extra data":
        return f"invalid character {text[error.pos]!r} after top-level value"
    if error.msg.startswith("Expecting property name"):
        # the position is that of the bracket, or of the character behind it
        wrong = text[error.pos :].lstrip("{ \t\r\n")[:1]
        return (
            f"invalid character {wrong!r} looking for beginning of object key string" if wrong else "unexpected end of JSON input"
        )
    return f"{error.msg[0].lower()}{error.msg[1:]} at {error.pos}"


def _values(document: Any) -> dict[str, str]:
    """The fields, whose names are matched whatever their case is; null leaves one as it is."""
    values = dict.fromkeys(_TEXTS, "")
    if document is None:
        return values
    if not isinstance(document, dict):
        raise _misfit(document, "value of type v1.Platform")
    for key, value in document.items():
        name = key.lower()
        if name in values and value is not None:
            if not isinstance(value, str):
                raise _misfit(value, f"struct field Platform.{name} of type string")
            values[name] = value
    return values


def _misfit(value: object, kind: str) -> InvalidArgument:
    return InvalidArgument(f"failed to parse platform: json: cannot unmarshal {_KINDS[type(value)]} into Go {kind}")
