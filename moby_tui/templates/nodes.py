"""The tree of a parsed template. Each node can be written back as Go writes it: its errors quote it."""

from __future__ import annotations

from dataclasses import dataclass, field

from moby_tui.templates.quoting import go_quote


@dataclass
class Node:
    """``position`` is where it begins, in characters of the template's text."""

    position: int


@dataclass
class Text(Node):
    text: str


@dataclass
class Dot(Node):
    def __str__(self) -> str:
        return "."


@dataclass
class Nil(Node):
    def __str__(self) -> str:
        return "nil"


@dataclass
class Literal(Node):
    """A string, number, character or boolean; ``text`` is how it was written."""

    value: str | int | float | bool
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass
class Field(Node):
    """``.Config.Env``: fields of dot."""

    names: list[str]

    def __str__(self) -> str:
        return "".join(f".{name}" for name in self.names)


@dataclass
class Variable(Node):
    """``$x.Name``: a variable, and fields of it."""

    name: str
    names: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return ".".join([self.name, *self.names])


@dataclass
class Identifier(Node):
    """A function."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass
class Chain(Node):
    """``(...).Name``: fields of what an operand gives."""

    operand: Node
    names: list[str]

    def __str__(self) -> str:
        operand = f"({self.operand})" if isinstance(self.operand, Pipeline) else str(self.operand)
        return operand + "".join(f".{name}" for name in self.names)


@dataclass
class Command(Node):
    """One stage of a pipeline: an operand, or a function or method with its arguments."""

    operands: list[Node]

    def __str__(self) -> str:
        return " ".join(f"({operand})" if isinstance(operand, Pipeline) else str(operand) for operand in self.operands)


@dataclass
class Pipeline(Node):
    """Commands, each given the last one's value as its last argument; ``variables`` get the final one."""

    variables: list[Variable] = field(default_factory=list)
    assigns: bool = False
    commands: list[Command] = field(default_factory=list)

    def __str__(self) -> str:
        declared = ", ".join(map(str, self.variables)) + (" = " if self.assigns else " := ") if self.variables else ""
        return declared + " | ".join(map(str, self.commands))


@dataclass
class Action(Node):
    """``{{pipeline}}``"""

    pipeline: Pipeline

    def __str__(self) -> str:
        return f"{{{{{self.pipeline}}}}}"


@dataclass
class Branch(Node):
    """``if``, ``with`` and ``range``, with what is between them and their ``else``, and between that and ``end``."""

    keyword: str
    pipeline: Pipeline
    body: list[Node]
    otherwise: list[Node] | None

    def __str__(self) -> str:
        return f"{{{{{self.keyword} {self.pipeline}}}}}"


@dataclass
class Call(Node):
    """``{{template "name" pipeline}}``"""

    name: str
    pipeline: Pipeline | None

    def __str__(self) -> str:
        argument = f" {self.pipeline}" if self.pipeline else ""
        return f"{{{{template {go_quote(self.name)}{argument}}}}}"


@dataclass
class Leave(Node):
    """``{{break}}`` and ``{{continue}}``"""

    keyword: str

    def __str__(self) -> str:
        return f"{{{{{self.keyword}}}}}"
