"""Go's ``fmt``: print, println and printf with its verbs and its way to say that one does not fit.

https://pkg.go.dev/fmt
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moby_tui.templates.errors import TemplateError
from moby_tui.templates.floats import float_text
from moby_tui.templates.quoting import go_quote
from moby_tui.templates.values import Map, Missing, NamedInteger, NilPointer, Slice, Struct, Time, known, type_name

#: Go's own limit of widths and precisions.
_WIDEST = 1_000_000
_DEEPEST = 100


def text_of(value: Any, depth: int = 0) -> str:
    """The value as ``%v`` prints it."""
    if depth > _DEEPEST:
        raise TemplateError("template: a value is nested too deeply")
    if isinstance(value, Missing):
        return "<no value>"
    if value is None or isinstance(value, NilPointer):
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, (Time, NamedInteger)):
        return value.go_text()
    if isinstance(value, Struct):
        return "{" + " ".join(text_of(field, depth + 1) for field in value.fields.values()) + "}"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{text_of(value[key], depth + 1)}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(text_of(item, depth + 1) for item in value) + "]"
    return str(value)


def printed(value: Any) -> str:
    """What an action writes."""
    return "<no value>" if value is None else text_of(value)


def sprint(values: Sequence[Any]) -> str:
    """A blank between two values of which neither is a string."""
    parts: list[str] = []
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            parts.append(" ")
        parts.append(text_of(known(value)))
    return "".join(parts)


def sprintln(values: Sequence[Any]) -> str:
    return " ".join(text_of(known(value)) for value in values) + "\n"


# printf

_DIRECTIVE = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width>(?:\[\d+\])?\*|\d+)?(?:(?P<dot>\.)(?P<precision>(?:\[\d+\])?\*|\d+)?)?(?P<index>\[[^\]]*\])?(?P<verb>.)?",
    re.DOTALL,
)


@dataclass
class _Directive:
    verb: str
    flags: str
    width: int | None
    precision: int | None

    def pad(self, text: str, *, zeros: bool = False) -> str:
        """In the directive's width, counted in characters."""
        lacking = (self.width or 0) - len(text)
        if lacking <= 0:
            return text
        if "-" in self.flags:
            return text + " " * lacking
        if zeros and "0" in self.flags:
            sign = text[0] if text[:1] in ("+", "-", " ") else ""
            return sign + "0" * lacking + text[len(sign) :]
        return " " * lacking + text


class _Arguments:
    """The arguments of one printf, taken in turn or by the number that a directive names."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = values
        self.position = 0
        self.named = False

    def jump(self, index: str) -> bool:
        """To ``[n]``; whether there is such an argument."""
        digits = index.strip("[]")
        self.named = True
        if not digits.isdecimal() or not 1 <= int(digits) <= len(self._values):
            return False
        self.position = int(digits) - 1
        return True

    def take(self) -> Any:
        if self.position >= len(self._values):
            raise IndexError
        self.position += 1
        return self._values[self.position - 1]

    def left_over(self) -> Sequence[Any]:
        return () if self.named else self._values[self.position :]


def sprintf(format: str, values: Sequence[Any]) -> str:
    """Go's ``Sprintf``."""
    arguments = _Arguments(values)
    parts: list[str] = []
    position = 0
    for match in _DIRECTIVE.finditer(format):
        parts.append(format[position : match.start()])
        parts.append(_directive(match, arguments))
        position = match.end()
    parts.append(format[position:])
    extra = arguments.left_over()
    if extra:
        arguments_text = ", ".join(text_of(None) if value is None else f"{type_name(value)}={text_of(value)}" for value in extra)
        parts.append(f"%!(EXTRA {arguments_text})")
    return "".join(parts)


def _directive(match: re.Match[str], arguments: _Arguments) -> str:
    """What one directive of a format prints; for a wrong one the complaint that Go prints."""
    verb = match["verb"]
    if verb is None:
        return "%!(NOVERB)"
    complaint = ""
    width, problem = _measure(match["width"], arguments, "WIDTH")
    complaint += problem
    precision, problem = _measure(match["precision"], arguments, "PREC")
    complaint += problem
    flags = match["flags"]
    if width is not None and width < 0:
        flags, width = flags + "-", -width
    if match["dot"] and precision is None:
        precision = 0
    if verb == "%":
        return complaint + "%"
    if match["index"] and not arguments.jump(match["index"]):
        return f"{complaint}%!{verb}(BADINDEX)"
    try:
        value = arguments.take()
    except IndexError:
        return f"{complaint}%!{verb}(MISSING)"
    return complaint + format_value(known(value), _Directive(verb, flags, width, precision))


def _measure(text: str | None, arguments: _Arguments, name: str) -> tuple[int | None, str]:
    """A width or precision, written out or taken from the arguments, and what is wrong with it."""
    if text is None:
        return None, ""
    if not text.endswith("*"):
        return (int(text), "") if len(text) < 8 and int(text) <= _WIDEST else (None, f"%!(BAD{name})")
    if text.startswith("[") and not arguments.jump(text[:-1]):
        return None, f"%!(BAD{name})"
    try:
        value = arguments.take()
    except IndexError:
        return None, f"%!(BAD{name})"
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _WIDEST or (name == "PREC" and value < 0):
        return None, f"%!(BAD{name})"
    return value, ""


def format_value(value: Any, directive: _Directive) -> str:
    """One value by one directive."""
    verb = directive.verb
    if verb == "T":
        return directive.pad("<nil>" if value is None else type_name(value))
    if value is None or isinstance(value, NilPointer):
        return directive.pad("<nil>") if verb == "v" else _misfit(value, verb)
    if verb == "p":
        return _misfit(value, verb)
    if isinstance(value, bool):
        return directive.pad(text_of(value)) if verb in "tv" else _misfit(value, verb)
    if isinstance(value, NamedInteger) and directive.verb in "vsqxX" and "#" not in directive.flags:
        return _string(value.go_text(), directive, value)
    if isinstance(value, int):
        return _integer(value, directive)
    if isinstance(value, float):
        return _float(value, directive)
    if isinstance(value, str):
        return _string(value.go_text() if isinstance(value, Time) else str(value), directive, value)
    return _compound(value, directive)


def _misfit(value: Any, verb: str) -> str:
    return f"%!{verb}(<nil>)" if value is None else f"%!{verb}({type_name(value)}={text_of(value)})"


def _compound(value: Any, directive: _Directive) -> str:
    """A list, map or struct: the directive holds for each of its members."""
    sharp = directive.verb == "v" and "#" in directive.flags
    if sharp:
        return _syntax(value)
    if isinstance(value, list):
        if directive.verb in "sqxX" and value and not isinstance(value[0], (str, int, float, list, dict, Struct)):
            return _misfit(value, directive.verb)
        return "[" + " ".join(format_value(item, directive) for item in value) + "]"
    if isinstance(value, dict):
        items = (f"{format_value(name, directive)}:{format_value(value[name], directive)}" for name in sorted(value))
        return "map[" + " ".join(items) + "]"
    names = "+" in directive.flags and directive.verb == "v"
    fields = ((name, format_value(field, directive)) for name, field in value.fields.items())
    return "{" + " ".join(f"{name}:{text}" if names else text for name, text in fields) + "}"


def _syntax(value: Any) -> str:
    """``%#v``: the value as Go's source has it."""
    if value is None:
        return "interface {}(nil)"
    if isinstance(value, NamedInteger):
        return str(int(value))
    if isinstance(value, (bool, int, float)):
        return text_of(value)
    if isinstance(value, str):
        return go_quote(value)
    if isinstance(value, NilPointer):
        return f"({value.type_name})(nil)"
    if isinstance(value, (Slice, Map)) and value.is_nil:
        return f"{type_name(value)}(nil)"
    if isinstance(value, list):
        return type_name(value) + "{" + ", ".join(map(_syntax, value)) + "}"
    if isinstance(value, dict):
        return type_name(value) + "{" + ", ".join(f"{go_quote(key)}:{_syntax(value[key])}" for key in sorted(value)) + "}"
    members = ", ".join(f"{name}:{_syntax(field)}" for name, field in value.fields.items())
    return f"{value.name}{{{members}}}"


def _string(text: str, directive: _Directive, value: Any) -> str:
    match directive.verb:
        case "v" | "s":
            if directive.verb == "v" and "#" in directive.flags:
                return directive.pad(go_quote(text))
            return directive.pad(text if directive.precision is None else text[: directive.precision], zeros=True)
        case "q":
            cut = text if directive.precision is None else text[: directive.precision]
            raw = "#" in directive.flags and "`" not in cut and cut.isprintable()
            return directive.pad(f"`{cut}`" if raw else go_quote(cut))
        case "x" | "X":
            data = text.encode("utf-8", "surrogateescape")[: directive.precision]
            between = " " if " " in directive.flags else ""
            shown = between.join(f"{byte:02x}" for byte in data)
            if "#" in directive.flags and shown:
                shown = between.join("0x" + part for part in shown.split(" ")) if between else "0x" + shown
            return directive.pad(shown.upper() if directive.verb == "X" else shown)
    return f"%!{directive.verb}({type_name(value)}={text})"


_BASES = {"v": "d", "d": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}


def _integer(value: int, directive: _Directive) -> str:
    verb, flags = directive.verb, directive.flags
    if verb in _BASES:
        digits = format(abs(value), _BASES[verb])
        if directive.precision is not None:
            digits = digits.rjust(directive.precision, "0") if value or directive.precision else ""
        prefix = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}.get(verb, "") if "#" in flags else ""
        prefix = "0o" if verb == "O" else prefix
        sign = "-" if value < 0 else "+" if "+" in flags else " " if " " in flags else ""
        zeros = directive.precision is None and "0" in flags and "-" not in flags
        if zeros and directive.width is not None:
            digits = digits.rjust(directive.width - len(sign), "0")
        return directive.pad(sign + prefix + digits)
    if verb in "cqU":
        valid = 0 <= value <= 0x10FFFF and not 0xD800 <= value < 0xE000
        character = chr(value) if valid else "\ufffd"
        if verb == "c":
            return directive.pad(character)
        if verb == "q":
            return directive.pad("'" + go_quote(character)[1:-1].replace('\\"', '"').replace("'", "\\'") + "'")
        shown = f" '{character}'" if "#" in flags and character.isprintable() else ""
        return directive.pad(f"U+{value:04X}{shown}")
    return _misfit(value, verb)


def _float(value: float, directive: _Directive) -> str:
    verb, precision, flags = directive.verb, directive.precision, directive.flags
    if verb not in "vgGeEfF":
        return _misfit(value, verb)
    if verb in "eEfF":
        text = format(value, f".{6 if precision is None else precision}{verb}")
    elif precision is None:
        text = float_text(value).upper() if verb == "G" else float_text(value)
    else:
        text = format(value, f".{precision or 1}{'G' if verb == 'G' else 'g'}")
    if not text.startswith(("+", "-")):
        text = ("+" if "+" in flags else " " if " " in flags else "") + text
    return directive.pad(text, zeros=True)
