"""Parses the tokens of a template into its tree, and the trees of the templates that it defines."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from moby_tui.templates import literals
from moby_tui.templates.errors import TemplateError
from moby_tui.templates.lexer import Lexer, Token
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
from moby_tui.templates.quoting import go_quote

_OPERANDS = frozenset({"bool", "char", "dot", "field", "identifier", "left", "number", "raw", "string", "variable"})


@dataclass
class _End:
    """What ended a list of nodes: ``end`` or ``else``."""

    keyword: str


def parse(name: str, text: str, functions: Collection[str]) -> dict[str, list[Node]]:
    """The trees by name, the template's own under ``name``. Raises ``TemplateError``."""
    try:
        return _Parser(name, text, functions).trees()
    except RecursionError:
        raise TemplateError(f"template: {name}:1: nested too deeply") from None


class _Parser:
    def __init__(self, name: str, text: str, functions: Collection[str]) -> None:
        self._name, self._functions = name, functions
        self._lexer = Lexer(name, text)
        self._tokens = iter(self._lexer)
        self._ahead: list[Token] = []
        self._last = 0
        self._trees: dict[str, list[Node]] = {}
        self._variables = ["$"]
        self._ranges = 0

    def trees(self) -> dict[str, list[Node]]:
        own: list[Node] = []
        while self._peek().kind != "end of file":
            if self._begins("define"):
                self._define()
                continue
            node = self._node()
            if isinstance(node, _End):
                raise self._error(f"unexpected {{{{{node.keyword}}}}}")
            own.append(node)
        self._add(self._name, own)
        return self._trees

    def _add(self, name: str, nodes: list[Node]) -> None:
        """Adds a definition. A later one replaces an earlier one of the same name, unless it is empty."""
        blank = all(isinstance(node, Text) and not node.text.strip() for node in nodes)
        if name not in self._trees or not blank:
            self._trees[name] = nodes

    # tokens

    def _next(self) -> Token:
        token = self._ahead.pop(0) if self._ahead else next(self._tokens)
        self._last = token.position
        return token

    def _peek(self, count: int = 0) -> Token:
        while len(self._ahead) <= count:
            self._ahead.append(next(self._tokens))
        return self._ahead[count]

    def _skip_space(self) -> Token:
        """The next token that is no space, not taken yet."""
        while self._peek().kind == "space":
            self._next()
        return self._peek()

    def _take(self) -> Token:
        self._skip_space()
        return self._next()

    def _begins(self, keyword: str) -> bool:
        """Whether an action with this keyword is next."""
        if self._peek().kind != "open":
            return False
        word = self._peek(1)
        if word.kind == "space":
            word = self._peek(2)
        return word.kind == "keyword" and word.text == keyword

    def _expect(self, kind: str, context: str) -> Token:
        token = self._take()
        if token.kind != kind:
            raise self._unexpected(token, context)
        return token

    def _error(self, message: str) -> TemplateError:
        return self._lexer.error(message, self._last)

    def _unexpected(self, token: Token, context: str) -> TemplateError:
        return self._error(f"unexpected {token} in {context}")

    # what is between and in actions

    def _node(self) -> Node | _End:
        token = self._next()
        if token.kind == "text":
            return Text(token.position, token.text)
        word = self._skip_space()
        if word.kind != "keyword" or word.text == "nil":
            pipeline = self._pipeline("command", "close")
            return Action(pipeline.position, pipeline)
        self._next()
        match word.text:
            case "if" | "with" | "range":
                return self._branch(word)
            case "end" | "else":
                if word.text == "end":
                    self._expect("close", "end")
                elif self._skip_space().kind != "keyword":
                    self._expect("close", "else")
                return _End(word.text)
            case "block":
                return self._block()
            case "template":
                return self._call()
            case "break" | "continue":
                self._expect("close", f"{{{{{word.text}}}}}")
                if not self._ranges:
                    raise self._error(f"{{{{{word.text}}}}} outside {{{{range}}}}")
                return Leave(word.position, word.text)
        raise self._unexpected(word, "command")

    def _branch(self, word: Token) -> Branch:
        kept = len(self._variables)
        keyword = word.text
        pipeline = self._pipeline(keyword, "close")
        self._ranges += keyword == "range"
        body, end = self._list()
        self._ranges -= keyword == "range"
        otherwise: list[Node] | None = None
        if end.keyword == "else":
            following = self._peek()
            if following.kind == "keyword" and following.text == keyword and keyword != "range":
                # {{else if}} shares the end of what it belongs to
                self._next()
                otherwise = [self._branch(following)]
            else:
                if following.kind == "keyword":
                    self._next()
                    raise self._unexpected(following, "input")
                otherwise, end = self._list()
                if end.keyword != "end":
                    raise self._error("expected end; found {{else}}")
        del self._variables[kept:]
        return Branch(word.position, keyword, pipeline, body, otherwise)

    def _list(self) -> tuple[list[Node], _End]:
        """The nodes up to ``end`` or ``else``."""
        nodes: list[Node] = []
        while self._peek().kind != "end of file":
            if self._begins("define"):
                self._next()
                raise self._unexpected(self._take(), "command")
            node = self._node()
            if isinstance(node, _End):
                return nodes, node
            nodes.append(node)
        self._next()
        raise self._error("unexpected EOF")

    def _define(self) -> None:
        self._next()
        self._take()
        name = self._named("define clause")
        self._expect("close", "define clause")
        self._defined(name)

    def _defined(self, name: str) -> None:
        """What is defined under a name, which sees no variable and no loop of its surroundings."""
        variables, ranges = self._variables, self._ranges
        self._variables, self._ranges = ["$"], 0
        nodes, end = self._list()
        if end.keyword != "end":
            raise self._error(f"unexpected {{{{{end.keyword}}}}} in define clause")
        self._variables, self._ranges = variables, ranges
        self._add(name, nodes)

    def _named(self, context: str) -> str:
        token = self._take()
        if token.kind not in ("string", "raw"):
            raise self._unexpected(token, context)
        return self._string(token)

    def _block(self) -> Call:
        position = self._skip_space().position
        name = self._named("block clause")
        pipeline = self._pipeline("block clause", "close")
        self._defined(name)
        return Call(position, name, pipeline)

    def _call(self) -> Call:
        position = self._skip_space().position
        name = self._named("template clause")
        if self._skip_space().kind == "close":
            self._next()
            return Call(position, name, None)
        return Call(position, name, self._pipeline("template clause", "close"))

    # pipelines

    def _pipeline(self, context: str, end: str) -> Pipeline:
        pipeline = Pipeline(self._skip_space().position)
        self._declarations(pipeline, context)
        while True:
            token = self._skip_space()
            if token.kind == end:
                self._next()
                break
            if token.kind not in _OPERANDS and not _is_nil(token):
                self._next()
                raise self._unexpected(token, context)
            pipeline.commands.append(self._command())
        self._check(pipeline, context)
        return pipeline

    def _declarations(self, pipeline: Pipeline, context: str) -> None:
        """``$x :=``, ``$x =``, and in a range ``$i, $x :=``."""
        while self._skip_space().kind == "variable":
            variable = self._peek()
            after = self._peek(2 if self._peek(1).kind == "space" else 1)
            if after.kind not in ("declare", "assign", "comma"):
                return
            self._next()
            self._take()
            pipeline.variables.append(Variable(variable.position, variable.text))
            self._variables.append(variable.text)
            if after.kind != "comma":
                pipeline.assigns = after.kind == "assign"
                return
            if context != "range" or len(pipeline.variables) > 1:
                raise self._error(f"too many declarations in {context}")
            if self._skip_space().kind not in ("variable", "close", "right"):
                raise self._error("range can only initialize variables")

    def _check(self, pipeline: Pipeline, context: str) -> None:
        if not pipeline.commands:
            raise self._error(f"missing value for {context}")
        for stage, command in enumerate(pipeline.commands[1:], 2):
            if isinstance(command.operands[0], (Literal, Dot, Nil)):
                raise self._error(f"non executable command in pipeline stage {stage}")

    def _command(self) -> Command:
        command = Command(self._skip_space().position, [])
        while True:
            token = self._skip_space()
            if token.kind in _OPERANDS or _is_nil(token):
                command.operands.append(self._operand())
            following = self._next()
            if following.kind == "space":
                continue
            if following.kind in ("close", "right"):
                self._ahead.insert(0, following)
            elif following.kind != "pipe":
                raise self._unexpected(following, "operand")
            break
        if not command.operands:
            raise self._error("empty command")
        return command

    def _operand(self) -> Node:
        node = self._term()
        position = self._peek().position
        names = []
        while self._peek().kind == "field":
            names.append(self._next().text[1:])
        if not names:
            return node
        if isinstance(node, Field):
            return Field(position, [*node.names, *names])
        if isinstance(node, Variable):
            return Variable(position, node.name, [*node.names, *names])
        if isinstance(node, (Literal, Nil, Dot)):
            raise self._error(f"unexpected . after term {go_quote(str(node))}")
        return Chain(position, node, names)

    def _term(self) -> Node:
        token = self._next()
        position = token.position
        match token.kind:
            case "identifier":
                if token.text not in self._functions:
                    raise self._error(f"function {go_quote(token.text)} not defined")
                return Identifier(position, token.text)
            case "dot":
                return Dot(position)
            case "keyword":
                return Nil(position)
            case "variable":
                self._known(token.text)
                return Variable(position, token.text)
            case "field":
                return Field(position, [token.text[1:]])
            case "bool":
                return Literal(position, token.text == "true", token.text)
            case "left":
                return self._pipeline("parenthesized pipeline", "right")
            case "number":
                try:
                    return Literal(position, literals.number(token.text), token.text)
                except ValueError as error:
                    raise self._error(str(error)) from None
            case "char":
                character = self._string(token)
                if len(character) != 1:
                    raise self._error(f"malformed character constant: {token.text}")
                return Literal(position, ord(character), token.text)
        return Literal(position, self._string(token), token.text)

    def _string(self, token: Token) -> str:
        try:
            return literals.unquote(token.text)
        except (ValueError, OverflowError):
            raise self._error("invalid syntax") from None

    def _known(self, variable: str) -> None:
        if variable not in self._variables:
            raise self._error(f"undefined variable {go_quote(variable)}")


def _is_nil(token: Token) -> bool:
    return token.kind == "keyword" and token.text == "nil"
