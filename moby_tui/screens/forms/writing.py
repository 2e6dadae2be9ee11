"""From the fields of the form to a request, by way of the command line's parser."""

from __future__ import annotations

from dataclasses import replace

from moby_tui.errors import MobyError
from moby_tui.screens import text
from moby_tui.screens.forms.draft import Draft, settings
from moby_tui.screens.forms.options import command_line
from moby_tui.screens.forms.request import ReadRun, RunRequest


def read(draft: Draft, reader: ReadRun) -> RunRequest:
    """Raises ``MobyError`` or ``ValueError`` that says what is wrong."""
    made = settings(draft)
    if not made.image:
        raise ValueError("an image is needed")
    if made.image.startswith("-"):
        raise ValueError(f"{made.image} is no image: options stand in the line of further options")
    request = reader(made.words())
    if request.config.image != made.image:
        raise ValueError(f"an option lacks its value, or a word among the options belongs to none: {request.config.image}")
    return request


def tell(draft: Draft, reader: ReadRun) -> tuple[str, str]:
    """The command line that the fields make, and what is wrong with it, or nothing; clean, one line each."""
    try:
        made = settings(draft)
        line = text.clean(command_line(replace(made, image=made.image or "IMAGE").words()))
    except ValueError as error:
        return "", text.clean(str(error))
    try:
        read(draft, reader)
    except (MobyError, ValueError) as error:
        return line, text.clean(str(error))
    return line, ""
