"""``--format`` as docker reads it: a Go template over an object or over rows, with docker's functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moby_tui.cli.output.functions import FUNCTIONS, HEADING_FUNCTIONS
from moby_tui.cli.output.typed import typed
from moby_tui.errors import InvalidArgument
from moby_tui.templates import Template, TemplateError
from moby_tui.templates.errors import UnknownField
from moby_tui.templates.values import Number, Struct

Row = Mapping[str, object]
_FAILED = "template parsing error"


class NoTemplate(InvalidArgument):
    """An object is to be shown by what is no template; docker's exit code for it."""

    exit_code = 64


def parse(format: str, refusal: str = "template parsing error") -> Template:
    """The template for an object. Raises ``NoTemplate``, whose message begins with ``refusal``."""
    try:
        return Template("{{json .}}" if format == "json" else format, functions=FUNCTIONS)
    except TemplateError as error:
        raise NoTemplate(f"{refusal}: {error.message}") from None


def check_fields(template: Template, example: object) -> None:
    """Raises ``NoTemplate`` for a field that no object of the example's type has."""
    try:
        template.execute(typed(example))
    except UnknownField as error:
        raise NoTemplate(f"Error parsing format: {error.message}") from None
    except TemplateError:
        pass


def render_object(template: Template, value: object) -> str:
    """The template over an object by Go's names; where that fails, over its JSON, in which a key that is not there is an error."""
    try:
        return template.execute(typed(value))
    except TemplateError:
        pass
    from moby_tui.schema.base import encode

    try:
        return template.execute(json.loads(encode(value), parse_int=Number, parse_float=Number), strict=True)
    except TemplateError as error:
        raise InvalidArgument(f"template parsing error: {error.message}") from None


class RowTemplate:
    """A template over rows of text. ``Label`` in a row holds what ``.Label "name"`` looks up.

    ``kind`` is the Go type of a row. A ``checked`` one is executed over the headings first, so that an unknown field is an error
    without rows too, in the words that docker has for these lists.
    """

    def __init__(self, format: str, headings: Mapping[str, str], kind: str, *, checked: bool) -> None:
        format = "{{json .}}" if format == "json" else format.strip(" ").replace("\\t", "\t").replace("\\n", "\n")
        self._headings, self._kind, self._checked = headings, kind, checked
        try:
            self._template = Template(format, functions=FUNCTIONS)
        except TemplateError as error:
            raise InvalidArgument(f"{'failed to parse template' if checked else _FAILED}: {error.message}") from None
        if checked:
            self._check()

    def _check(self) -> None:
        try:
            self._template.execute(self._struct(self._headings, {}))
        except UnknownField as error:
            raise self._failed(error) from None
        except TemplateError:
            pass

    def _failed(self, error: TemplateError) -> InvalidArgument:
        return InvalidArgument(f"{'failed to execute template' if self._checked else _FAILED}: {error.message}")

    def render(self, row: Row) -> str:
        labels = row.get("Label")
        try:
            return self._template.execute(self._struct(row, labels if isinstance(labels, Mapping) else {}))
        except TemplateError as error:
            raise self._failed(error) from None

    def heading(self) -> str:
        """The line of headings: what the template makes of them instead of values."""
        columns = Struct("formatter.SubHeaderContext", self._headings, methods={"Label": _label_heading})
        try:
            return self._template.execute(columns, functions=HEADING_FUNCTIONS)
        except TemplateError as error:
            raise self._failed(error) from None

    def _struct(self, row: Row, labels: Mapping[str, Any]) -> Struct:
        fields = {name: row[name] for name in sorted(row) if name != "Label"}
        methods = {"Label": lambda name: labels.get(name, "")}
        return Struct(
            self._kind.removeprefix("*"), fields, methods=methods, pointer=self._kind.startswith("*"), escapes_html=True
        )


def _label_heading(name: str) -> str:
    return name.rpartition(".")[2].replace("-", " ").replace("_", " ")
