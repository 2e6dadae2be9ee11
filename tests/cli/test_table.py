"""The table of commands: its parsers, help, completion and functions agree, for every command."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Iterator

import pytest

from moby_tui.cli.app import run
from moby_tui.cli.completion.line import read
from moby_tui.cli.completion.vocabulary import kind_of
from moby_tui.cli.quick import Line, parse
from moby_tui.cli.table import root
from moby_tui.cli.table.declare import Argument, Command, Option
from moby_tui.cli.table.root import GlobalOptions


def paths() -> Iterator[tuple[tuple[str, ...], Command]]:
    """Every way to call every command, but for aliases."""
    for noun in filter(None, root.NOUNS):
        for command in root.noun(noun).commands:
            yield (noun, command.name), command
    for command in root.without_noun():
        yield (command.root,), command


PATHS = dict(paths())
every = pytest.mark.parametrize("path", PATHS, ids=" ".join)


def shown(command: Command) -> list[Option]:
    return [option for option in command.options.declared.values() if not option.hidden]


def test_no_name_stands_for_two_things() -> None:
    commands = {command for noun in root.NOUNS for command in root.noun(noun).commands}
    roots = [*filter(None, root.NOUNS), *(command.root for command in commands if command.root)]
    assert len(roots) == len(set(roots))
    for noun in root.NOUNS:
        assert root.noun(noun).name == noun
        names = [name for command in root.noun(noun).commands for name in (command.name, *command.aliases)]
        assert len(names) == len(set(names)), noun
        assert not root.MISSING.get(noun, set()) & set(names or roots)
    assert not root.MISSING[""] & set(roots)
    for command in PATHS.values():
        names = [name for option in command.options.declared.values() for name in (*option.names, *option.negations)]
        assert len(names) == len(set(names)), command.function
    assert {command.root for command in root.without_noun()} >= root.STARTERS | root.LASTING


@every
def test_the_function_takes_what_is_declared(path: tuple[str, ...]) -> None:
    command = PATHS[path]
    first, *others = inspect.signature(command.load()).parameters.values()
    # annotations are text
    assert (first.name, first.annotation) == ("options", command.options.__name__)
    assert [(one.name, one.annotation) for one in others] == [
        (argument.name, "list[str]" if argument.many else "str") for argument in command.arguments
    ]


@every
def test_help_tells_all_that_is_declared(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    command = PATHS[path]
    assert run([*path, "--help"]) == 0
    text = capsys.readouterr().out
    # lines are also broken at hyphens
    letters = "".join(text.split())
    usage = " ".join(("Usage: moby", *path, "[OPTIONS]", *(argument.metavar for argument in command.arguments)))
    assert letters.startswith(usage.replace(" ", ""))
    assert "".join(command.help.split()) in letters
    for option in shown(command):
        for name in (*option.names, *option.negations):
            assert f" {name}" in text, name
        assert "".join(option.help.split()) in letters
    assert "  Examples:\n" in text
    assert all(f"    {example}\n" in text for example in command.examples)


@every
def test_completion_offers_all_that_is_declared(path: tuple[str, ...]) -> None:
    command = PATHS[path]
    assert path[-1] in dict(read([*path[:-1], path[-1]])[1].words)
    offered = [name for name, _ in read([*path, "-"])[1].words]
    assert sorted(offered) == sorted(
        {"--help", *(name for option in shown(command) for name in (*option.names, *option.negations))}
    )
    declared: list[Option | Argument] = [*command.options.declared.values(), *command.arguments]
    for one in declared:
        kind_of(one.completes)
        for option, _ in getattr(one, "given", {}):
            assert option in offered
            kind_of(one.given[option, _])  # type: ignore[union-attr]


@every
def test_every_example_is_understood(path: tuple[str, ...]) -> None:
    """What follows more than one space says what the example does; a part of a pipeline may be of another program."""
    command = PATHS[path]
    assert command.help.endswith(".")
    assert command.examples
    named = []
    for example in command.examples:
        line = shlex.shlex(example.partition("   ")[0].replace("<(moby", "; moby"), posix=True, punctuation_chars=True)
        line.whitespace_split = True
        words = [*line, ";"]
        while "moby" in words:
            words = words[words.index("moby") + 1 :]
            end = next(index for index, word in enumerate(words) if set(word) <= set(";|&<>()"))
            found = root.find(Line(GlobalOptions, words[:end], interspersed=False).rest)
            assert found is not None, example
            parse(*found)
            named.append(found[0])
    assert command in named or path == ("daemon",)
