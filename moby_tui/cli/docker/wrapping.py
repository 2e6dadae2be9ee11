"""Two columns, the right one wrapped, as docker's pages of help have them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_GAP = 3
#: A right column that would be narrower begins on a line of its own, this far in.
_NARROWEST, _FAR_IN = 24, 16
#: Blanks at the right edge that a word may run into if it then ends the text.
_SLOP = 5


def described(rows: Sequence[tuple[str, str]], columns: int) -> list[str]:
    """A paragraph for each head and its description, in so many columns."""
    margin = max((len(head) for head, _ in rows), default=0) + _GAP
    return [_paragraph(head, text, margin, columns) for head, text in rows]


def _paragraph(head: str, text: str, margin: int, columns: int) -> str:
    first = f"{head:<{margin}}"
    if columns - margin < _NARROWEST:
        margin = _FAR_IN
        first = head + "\n" + " " * margin
    width = columns - margin
    lines = list(_wrapped(text, width - _SLOP)) if width >= _NARROWEST else text.split("\n")
    return first + ("\n" + " " * margin).join(lines)


def _wrapped(text: str, width: int) -> Iterator[str]:
    """Lines of at most this width where the words allow it; the last one may be longer by the slop."""
    while len(text) >= width + _SLOP:
        head = text[:width]
        blank = max(head.rfind(letter) for letter in " \t\n")
        if blank <= 0:
            break
        new_line = head.rfind("\n")
        place = new_line if 0 < new_line < blank else blank
        yield text[:place]
        text = text[place + 1 :]
    yield from text.split("\n")
