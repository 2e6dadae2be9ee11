"""Whole objects on standard output: indented JSON, one line of JSON, or through a template."""

from __future__ import annotations

import json
from collections.abc import Sequence

from moby_tui.cli.output.template import Template, compact_json


def show_object(value: object, format: str) -> None:
    """One object, ``format`` being ``json`` or a template."""
    print(compact_json(value) if format == "json" else Template(format).render(value))


def show_list(values: Sequence[object], format: str) -> None:
    """Inspected objects: by default a JSON array indented by four blanks."""
    if not format:
        print(json.dumps(values, indent=4, ensure_ascii=False))
    elif format == "json":
        print(compact_json(values))
    else:
        template = Template(format)
        for value in values:
            print(template.render(value))


def confirm(question: str, *, forced: bool) -> bool:
    """Whether the caller says yes, or has said so with ``--force``."""
    if forced:
        return True
    print(f"WARNING! {question}\nAre you sure you want to continue? [y/N] ", end="", flush=True)
    try:
        return input().strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False
