"""Whole objects on standard output: indented JSON, one line of JSON, or through a template."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from moby_tui.cli import session
from moby_tui.errors import MobyError
from moby_tui.schema.omitted import shown


def compact_json(value: object) -> str:
    """As Go's encoder writes it."""
    return json.dumps(shown(value), separators=(",", ":"), ensure_ascii=False)


def show_object(value: object, format: str) -> None:
    """One object, ``format`` being ``json`` or a template."""
    from moby_tui.cli.output.template import parse, render_object

    print(compact_json(value) if format == "json" else render_object(parse(format), value))


def show_list(values: Sequence[object], format: str, *, marshalled: bool = False) -> int:
    """Inspected objects, and errors in place of those that are not there: by default a JSON array indented by four blanks.

    Prints the errors after the objects; returns 1 if there are any. ``marshalled``: it is docker's command line that makes the JSON, whose
    encoder escapes what HTML reads, and not the engine.
    """
    errors = [value for value in values if isinstance(value, MobyError)]
    if format in ("", "json"):
        objects = [value for value in values if not isinstance(value, MobyError)]
        text = compact_json(objects) if format else json.dumps(shown(objects), indent=4, ensure_ascii=False)
        if marshalled:
            from moby_tui.templates.values import html_escaped

            text = html_escaped(text)
        print(text)
    else:
        lines, errors = _rendered(values, format)
        # docker has this line too where there is nothing to show
        print(*lines, sep="\n")
    for error in errors:
        session.tell(error)
    return 1 if errors else 0


def _rendered(values: Sequence[object], format: str) -> tuple[list[str], list[MobyError]]:
    from moby_tui.cli.output.template import parse, render_object

    template = parse(format)
    lines: list[str] = []
    errors: list[MobyError] = []
    for value in values:
        try:
            if isinstance(value, MobyError):
                raise value
            lines.append(render_object(template, value))
        except MobyError as error:
            errors.append(error)
    return lines, errors


def confirm(question: str, *, forced: bool, separator: str = "\n") -> bool:
    """Whether the caller says yes, or has said so with ``--force``."""
    if forced:
        return True
    print(f"WARNING! {question}{separator}Are you sure you want to continue? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() == "y"
