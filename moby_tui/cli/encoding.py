"""Bytes that are not UTF-8, on the command line and in output.

Docker's command line sends its words as JSON, in which each such byte becomes U+FFFD; moby does the same.
"""

from __future__ import annotations

import codecs

from moby_tui.cli.table.root import split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

_REPLACEMENT = "\ufffd"
#: Commands whose words name files of the host, which are found by their bytes.
_OF_FILES = frozenset({"build", "cp", "export", "import", "load", "save"})


def valid(text: str) -> str:
    """The text with U+FFFD for each byte that was no UTF-8 (Python has a lone surrogate for it)."""
    if text.isascii():
        return text
    return "".join(_REPLACEMENT if "\ud800" <= letter <= "\udfff" else letter for letter in text)


def valid_words(argv: Sequence[str]) -> Sequence[str]:
    """The words of a command line, valid but for those of a command that takes paths of the host."""
    return argv if split(argv)[0] in _OF_FILES else [valid(word) for word in argv]


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    """In UTF-8 as bytes: its encoder takes no text from a handler that is not ASCII."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = _REPLACEMENT.encode() if error.encoding.lower().startswith("utf") else b"?"
    return character * (error.end - error.start), error.end


codecs.register_error("moby-replace", _replace)


def make_lossy(stream: TextIO) -> None:
    """Makes a stream replace characters that its encoding lacks, rather than fail."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="moby-replace")
