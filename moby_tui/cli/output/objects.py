"""Whole objects on standard output: indented JSON, one line of JSON, or through a template."""

from __future__ import annotations

import json
from collections.abc import Sequence

from moby_tui.cli import session
from moby_tui.schema.omitted import shown


def compact_json(value: object) -> str:
    """As Go's encoder writes it."""
    return json.dumps(shown(value), separators=(",", ":"), ensure_ascii=False)


def show_object(value: object, format: str) -> None:
    """One object, ``format`` being ``json`` or a template."""
    from moby_tui.cli.output.template import parse, render_object

    print(compact_json(value) if format == "json" else render_object(parse(format), value))


def show_list(values: Sequence[object], format: str) -> None:
    """Inspected objects: by default a JSON array indented by four blanks."""
    if not format:
        print(json.dumps(shown(values), indent=4, ensure_ascii=False))
    elif format == "json":
        print(compact_json(values))
    else:
        from moby_tui.cli.output.template import parse, render_object

        template = parse(format)
        for value in values:
            print(render_object(template, value))


def confirm(question: str, *, forced: bool) -> bool:
    """Whether the caller says yes, or has said so with ``--force``."""
    if forced:
        return True
    print(f"WARNING! {question}\nAre you sure you want to continue? [y/N] ", end="", flush=True)
    try:
        return input().strip().lower() in ("y", "yes")
    except EOFError:
        if session.program() != "docker":
            print()
        return False
