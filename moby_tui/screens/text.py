"""Text for people: sizes, ages, names. What comes from a container or a server is cleaned here before it is shown."""

from __future__ import annotations

import re

#: First and last of the characters that are left out: C0 and C1 controls, bidirectional marks and overrides, those without a width (of
#: which terminals disagree how wide the text around them is: the joiner of emoji too), ends of lines and paragraphs, tags.
_LEFT_OUT = (
    (0x00, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x61C, 0x61C), (0x180E, 0x180E), (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F),
    (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0x13430, 0x1343F), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE007F),
)  # fmt: skip
#: None of these may reach the terminal from a name, a label or a log line. Halves of surrogate pairs stand for bytes that are no UTF-8,
#: and would be written as these bytes.
_CONTROLS = {
    **{code: None for first, last in _LEFT_OUT for code in range(first, last + 1)},
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
}
#: Escape sequences: CSI, the string sequences (OSC, DCS, PM, APC, SOS) and the two-byte ones (ECMA-48, 5.3 to 5.6).
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)|[ -/]*[0-~]?)")
_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 2592000, "year": 31536000}
_AGE = re.compile(r"(?:(\d+|a|an|about an?|less than a) )(second|minute|hour|day|week|month|year)s?", re.IGNORECASE)


def clean(text: str) -> str:
    """One line without escape sequences, control characters and characters that are not seen."""
    return ESCAPES.sub("", text).translate(_CONTROLS) if not text.isprintable() else text


def clean_lines(text: str) -> str:
    """Lines as ``clean`` leaves them, with their tabs: what may be pasted. An escape sequence could end a terminal's bracketed paste."""
    return text if text.isprintable() else "\n".join("\t".join(map(clean, line.split("\t"))) for line in text.split("\n"))


def drawn(text: str) -> str:
    """As ``clean`` for a piece of a line whose width is settled: escape sequences only lose what makes them one."""
    return text if text.isprintable() else text.replace("\xad", "\ufffd").translate(_CONTROLS)


def clean_coloured(text: str) -> str:
    """One line in which only colours (SGR) are left of the escape sequences; tabs become spaces."""
    if text.isprintable():
        return text
    text = text.rstrip("\r\n").rpartition("\r")[2].expandtabs()
    if "\x1b" not in text:
        return text.translate(_CONTROLS)
    kept: list[str] = []
    position = 0
    for escape in ESCAPES.finditer(text):
        kept.append(text[position : escape.start()].translate(_CONTROLS))
        if _COLOURS.fullmatch(escape.group()):
            kept.append(escape.group())
        position = escape.end()
    kept.append(text[position:].translate(_CONTROLS))
    return "".join(kept)


def size(count: float, *, step: int = 1024) -> str:
    """``12.3M``: bytes in at most five characters; ``step`` 1000 for what is counted so (image sizes)."""
    for unit in "BKMGTP":
        if count < step or unit == "P":
            break
        count /= step
    if unit == "B" or count >= 100:
        return f"{count:.0f}{unit}"
    return f"{count:.1f}{unit}"


def percent(value: float) -> str:
    """Percent of one CPU or of a limit in few characters; a negative value is not known yet."""
    if value < 0:
        return "…"
    return f"{value:.1f}%" if value < 100 else f"{value:.0f}%"


def age(seconds: float) -> str:
    """``3m``, ``2h``, ``5d``: the largest unit that fits."""
    for limit, length, unit in ((60, 1, "s"), (3600, 60, "m"), (172800, 3600, "h"), (31536000, 86400, "d")):
        if seconds < limit:
            return f"{max(int(seconds), 0) // length}{unit}"
    return f"{int(seconds) // 31536000}y"


def age_seconds(status: str) -> int | None:
    """The age told in a status line of the API (``Up 3 minutes``, ``Exited (0) About an hour ago``), in seconds."""
    match = _AGE.search(status)
    if match is None:
        return None
    number = int(match[1]) if match[1].isdigit() else 1
    return number * _SECONDS[match[2].lower()]


def short_id(identifier: str) -> str:
    """The twelve digits people know an object by."""
    return identifier.removeprefix("sha256:")[:12]
