"""Walks a template's tree over a value. Time and output are bounded: an endless template would hang the caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from moby_tui.templates.errors import TemplateError, UnknownField
from moby_tui.templates.functions import Function, FunctionFailed, check_type
from moby_tui.templates.nodes import (
    Action,
    Branch,
    Call,
    Chain,
    Command,
    Dot,
    Field,
    Identifier,
    Leave,
    Literal,
    Nil,
    Node,
    Pipeline,
    Text,
    Variable,
)
from moby_tui.templates.printing import printed, text_of
from moby_tui.templates.quoting import go_quote
from moby_tui.templates.values import MISSING, NamedInteger, NilPointer, Struct, Time, is_true, known, type_name

#: How many templates may be inside each other, how many nodes are evaluated, and how many characters are written, before it is given up.
DEEPEST, MOST_STEPS, LONGEST = 50, 2_000_000, 64 * 2**20


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


def _last(pipeline: Pipeline) -> Node:
    """The operand that gives a pipeline's value."""
    return pipeline.commands[-1].operands[0]


class Execution:
    """One execution. ``strict`` makes a key that a map lacks an error (Go's ``missingkey=error``)."""

    def __init__(
        self, name: str, text: str, trees: Mapping[str, Sequence[Node]], functions: Mapping[str, Function], *, strict: bool
    ) -> None:
        self._name, self._text, self._trees, self._functions, self._strict = name, text, trees, functions, strict
        self._template = name
        self._variables: list[list[Any]] = []
        self._parts: list[str] = []
        self._length = self._steps = self._depth = 0

    def run(self, value: Any) -> str:
        """What the template writes of a value. Raises ``TemplateError``."""
        self._variables = [["$", value]]
        try:
            self._walk_all(self._trees[self._name], value)
        except RecursionError:
            raise TemplateError(f"template: {self._name}: nested too deeply") from None
        return "".join(self._parts)

    def _error(self, node: Node, message: str, kind: type[TemplateError] = TemplateError) -> TemplateError:
        before = self._text[: node.position]
        line = before.count("\n") + 1
        column = len(before.rpartition("\n")[2].encode("utf-8", "surrogateescape"))
        where = f"template: {self._name}:{line}:{column}"
        return kind(f"{where}: executing {go_quote(self._template)} at <{node}>: {message}")

    def _write(self, text: str) -> None:
        self._length += len(text)
        if self._length > LONGEST:
            raise TemplateError(f"template: {self._name}: it writes more than {LONGEST // 2**20} MiB")
        self._parts.append(text)

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise TemplateError(f"template: {self._name}: it does not end within {MOST_STEPS} steps")

    # nodes

    def _walk_all(self, nodes: Sequence[Node], dot: Any) -> None:
        for node in nodes:
            self._walk(node, dot)

    def _walk(self, node: Node, dot: Any) -> None:
        self._step()
        match node:
            case Text():
                self._write(node.text)
            case Action():
                value = self._pipeline(node.pipeline, dot)
                if not node.pipeline.variables:
                    self._write(printed(value))
            case Branch(keyword="range"):
                self._range(node, dot)
            case Branch():
                self._choose(node, dot)
            case Call():
                self._call(node, dot)
            case Leave():
                raise _Break if node.keyword == "break" else _Continue

    def _choose(self, node: Branch, dot: Any) -> None:
        kept = len(self._variables)
        try:
            value = self._pipeline(node.pipeline, dot)
            if is_true(value):
                self._walk_all(node.body, value if node.keyword == "with" else dot)
            elif node.otherwise is not None:
                self._walk_all(node.otherwise, dot)
        finally:
            del self._variables[kept:]

    def _range(self, node: Branch, dot: Any) -> None:
        kept = len(self._variables)
        try:
            value = self._pipeline(node.pipeline, dot, declares=False)
            ran = False
            for key, item in self._items(node, value):
                ran = True
                self._step()
                inner = len(self._variables)
                self._bind(node.pipeline, key, item)
                try:
                    self._walk_all(node.body, item)
                except _Continue:
                    pass
                except _Break:
                    break
                finally:
                    del self._variables[inner:]
            if not ran and node.otherwise is not None:
                self._walk_all(node.otherwise, dot)
        finally:
            del self._variables[kept:]

    def _items(self, node: Branch, value: Any) -> Iterable[tuple[Any, Any]]:
        if value is None or value is MISSING:
            return ()
        if isinstance(value, dict):
            return sorted(value.items())
        if isinstance(value, list):
            return enumerate(value)
        if isinstance(value, int) and not isinstance(value, bool):
            if len(node.pipeline.variables) > 1:
                raise self._error(_last(node.pipeline), f"can't use {value} to iterate over more than one variable")
            return ((number, number) for number in range(value))
        raise self._error(node.pipeline, f"range can't iterate over {text_of(value)}")

    def _bind(self, pipeline: Pipeline, key: Any, item: Any) -> None:
        """The loop's variables: the item alone, or key and item."""
        values = [item] if len(pipeline.variables) == 1 else [key, item]
        for variable, value in zip(pipeline.variables, values, strict=False):
            self._set(pipeline, variable, value)

    def _call(self, node: Call, dot: Any) -> None:
        if node.name not in self._trees:
            raise self._error(node, f"template {go_quote(node.name)} not defined")
        if self._depth == DEEPEST:
            raise self._error(node, f"exceeded maximum template depth ({DEEPEST})")
        value = self._pipeline(node.pipeline, dot) if node.pipeline is not None else MISSING
        variables, template = self._variables, self._template
        self._variables, self._template = [["$", value]], node.name
        self._depth += 1
        self._walk_all(self._trees[node.name], value)
        self._depth -= 1
        self._variables, self._template = variables, template

    # pipelines

    def _pipeline(self, pipeline: Pipeline, dot: Any, *, declares: bool = True) -> Any:
        self._step()
        value: Any = None
        for index, command in enumerate(pipeline.commands):
            given = [value] if index else []
            value = self._command(command, dot, given)
        if declares:
            for variable in pipeline.variables:
                self._set(pipeline, variable, value)
        return value

    def _set(self, pipeline: Pipeline, variable: Variable, value: Any) -> None:
        if pipeline.assigns:
            self._slot(variable, _last(pipeline))[1] = value
        else:
            self._variables.append([variable.name, value])

    def _slot(self, variable: Variable, node: Node) -> list[Any]:
        variable_slot: list[Any] | None = next((slot for slot in reversed(self._variables) if slot[0] == variable.name), None)
        if variable_slot is not None:
            return variable_slot
        raise self._error(node, f"undefined variable: {variable.name}")

    def _command(self, command: Command, dot: Any, given: Sequence[Any]) -> Any:
        """``given`` is the value of the stage before, where there is one."""
        first, arguments = command.operands[0], command.operands[1:]
        match first:
            case Identifier():
                return self._function(first, command, arguments, dot, given)
            case Field():
                return self._fields(first, first.names, dot, dot, arguments, given)
            case Chain():
                return self._fields(first, first.names, self._operand(first.operand, dot), dot, arguments, given)
            case Variable():
                value = self._slot(first, first)[1]
                if first.names:
                    return self._fields(first, first.names, value, dot, arguments, given)
                self._no_arguments(first, arguments, given)
                return value
            case Nil():
                raise self._error(first, "nil is not a command")
        self._no_arguments(first, arguments, given)
        return self._operand(first, dot)

    def _no_arguments(self, node: Node, arguments: Sequence[Node], given: Sequence[Any]) -> None:
        if arguments or given:
            raise self._error(node, f"can't give argument to non-function {node}")

    def _operand(self, node: Node, dot: Any) -> Any:
        self._step()
        match node:
            case Literal():
                return node.value
            case Dot():
                return dot
            case Nil():
                return None
            case Pipeline():
                return self._pipeline(node, dot)
            case Identifier():
                return self._function(node, node, (), dot, ())
        return self._command(Command(node.position, [node]), dot, ())

    def _fields(
        self, node: Node, names: Sequence[str], value: Any, dot: Any, arguments: Sequence[Node], given: Sequence[Any]
    ) -> Any:
        """Field after field; the arguments belong to the last one, which must be a method then."""
        for name in names[:-1]:
            value = self._field(node, name, value, dot, (), ())
        return self._field(node, names[-1], value, dot, arguments, given)

    def _field(self, node: Node, name: str, value: Any, dot: Any, arguments: Sequence[Node], given: Sequence[Any]) -> Any:
        if value is MISSING:
            if self._strict:
                raise self._error(node, f'nil data; no entry for key "{name}"')
            return MISSING
        if value is None or isinstance(value, NilPointer):
            raise self._error(node, f"nil pointer evaluating {type_name(value)}.{name}")
        if isinstance(value, Struct):
            return self._member(node, name, value, dot, arguments, given)
        if isinstance(value, dict):
            if arguments or given:
                raise self._error(node, f"{name} is not a method but has arguments")
            if name not in value and self._strict:
                raise self._error(node, f'map has no entry for key "{name}"')
            return value.get(name, MISSING)
        if isinstance(value, (Time, NamedInteger)):
            return self._call_method(node, name, value, dot, arguments, given)
        kind = "interface {}" if self._strict else type_name(value)
        raise self._error(node, f"can't evaluate field {name} in type {kind}", UnknownField)

    def _member(self, node: Node, name: str, value: Struct, dot: Any, arguments: Sequence[Node], given: Sequence[Any]) -> Any:
        if name in value.methods:
            values = [*(self._operand(argument, dot) for argument in arguments), *given]
            if len(values) != 1:
                raise self._error(node, f"wrong number of args for {name}: want 1 got {len(values)}")
            return value.methods[name](self._checked(node, values[0], "string", arguments[0] if arguments else None))
        if name not in value.fields:
            raise self._error(node, f"can't evaluate field {name} in type {value.type_name}", UnknownField)
        if arguments or given:
            raise self._error(node, f"{name} has arguments but cannot be invoked as function")
        return value.fields[name]

    def _call_method(
        self, node: Node, name: str, value: Time | NamedInteger, dot: Any, arguments: Sequence[Node], given: Sequence[Any]
    ) -> Any:
        """A method of a moment, a duration, a month or a weekday."""
        from moby_tui.templates.moments import METHODS  # only for templates that call one

        method = METHODS[type(value)].get(name)
        if method is None:
            raise self._error(node, f"can't evaluate field {name} in type {type_name(value)}", UnknownField)
        count = len(arguments) + len(given)
        if count != len(method.parameters):
            raise self._error(node, f"wrong number of args for {name}: want {len(method.parameters)} got {count}")
        written = [(argument, self._operand(argument, dot)) for argument in arguments] + [(None, known(item)) for item in given]
        values = [self._checked(node, item, kind, at) for (at, item), kind in zip(written, method.parameters, strict=True)]
        return method.call(value, *values)

    # functions

    def _function(self, name: Identifier, node: Node, arguments: Sequence[Node], dot: Any, given: Sequence[Any]) -> Any:
        function = self._functions[name.name]
        count = len(arguments) + len(given)
        if count < len(function.parameters) or (count > len(function.parameters) and function.rest is None):
            least = "at least " if function.rest is not None else ""
            raise self._error(name, f"wrong number of args for {name.name}: want {least}{len(function.parameters)} got {count}")
        if function.stops is not None:
            return self._short_circuit(function.stops, arguments, dot, given)
        values = []
        for index, argument in enumerate([*arguments, *given]):
            kind = function.parameters[index] if index < len(function.parameters) else function.rest
            written = argument if index < len(arguments) else None
            value = self._operand(argument, dot) if index < len(arguments) else argument
            values.append(self._checked(written or node, value, kind or "", written))
        try:
            return function.call(*values)
        except FunctionFailed as error:
            raise self._error(node, f"error calling {name.name}: {error}") from None
        except MemoryError:
            raise self._error(node, f"error calling {name.name}: out of memory") from None

    def _short_circuit(self, stops: bool, arguments: Sequence[Node], dot: Any, given: Sequence[Any]) -> Any:
        """``and`` and ``or``: the first argument that decides, else the last; what comes after it is not evaluated."""
        value: Any = None
        for argument in arguments:
            value = self._operand(argument, dot)
            if is_true(value) is stops:
                return value
        return given[0] if given else value

    def _checked(self, node: Node, value: Any, kind: str, written: Node | None) -> Any:
        """The value, if it fits a parameter of this kind; ``written`` is its node, unless it came through the pipe."""
        complaint = check_type(value, kind, written)
        if complaint:
            raise self._error(node, complaint)
        return value
