"""The parser without Typer: it reads what it understands as Typer does, and leaves the rest."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import Any

import pytest

from moby_tui.cli import tree
from moby_tui.cli.app import GlobalOptions
from moby_tui.cli.commands import containers, create, execute, run, version
from moby_tui.cli.declare import Command
from moby_tui.cli.flags import DockerCommand, typer_command
from moby_tui.cli.names import LEAVES
from moby_tui.cli.quick import NotUnderstood, from_environment, parse

COMMANDS = [run.run, create.create, execute.execute, containers.ps, version.version]
Reading = tuple[dict[str, Any], dict[str, Any]]


def by_typer(command: Command, words: list[str]) -> Reading:
    """What the function is called with, by way of Typer."""
    calls: list[Reading] = []
    spy = Command(
        command.name,
        lambda options, **arguments: calls.append((vars(options), arguments)),
        command.options,
        command.arguments,
        interspersed=command.interspersed,
        epilog="",
    )
    info = typer_command(spy)
    info.cls = DockerCommand
    built = tree.get_command_from_info(info, pretty_exceptions_short=False, rich_markup_mode=None)
    built.main(words, prog_name="x", standalone_mode=False)
    return calls[0]


def quickly(command: Command, words: list[str]) -> Reading:
    options, arguments = parse(command, words)
    return vars(options), arguments


def sample(kind: str) -> str:
    return "-7" if kind.startswith("int") else "a=b"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_option_in_every_spelling_is_read_as_typer_reads_it(command: Command) -> None:
    rest = ["one", "two", "-x"] if command.arguments else []
    for option in command.options.declared.values():
        word = sample(option.kind)
        for name in (*option.names, *option.negations):
            spellings: list[list[str]]
            if option.is_flag:
                spellings = [[name], *([f"{name}={yes}"] for yes in ("true", "0") if name not in option.negations)]
            elif name.startswith("--"):
                spellings = [[name, word], [f"{name}={word}"], [name, "1", name, "2"]]
            else:
                spellings = [[name, word], [f"{name}={word}"], [f"{name}{word}"]]
            for spelling in spellings:
                assert quickly(command, [*spelling, *rest]) == by_typer(command, [*spelling, *rest]), spelling


@pytest.mark.parametrize(
    "line",
    [
        *(
            "alpine",
            "-it alpine sh",
            "-ti=true alpine",
            "-it=false alpine",
            "-ite A=1 alpine",
            "-ite=A=1 alpine",
            "-itp80:80 alpine",
        ),
        *("--rm -e A=1 alpine sh -c 'echo $A' --rm -e -- x", "-t -- alpine -x", "-- alpine -- x", "- x", "alpine --help"),
        *(
            "--no-sig-proxy alpine",
            "--sig-proxy=false alpine",
            "--memory-swap -1 alpine",
            "-e '' -e --rm alpine",
            "--rm --rm=f alpine",
        ),
        *("--entrypoint '' alpine", "--entrypoint= alpine", "-e=--x alpine ''", "-p=1 -p2 -p 3 alpine a b c", "-m=-i alpine"),
    ],
)
def test_a_line_is_read_as_typer_reads_it(line: str) -> None:
    words = shlex.split(line)
    assert quickly(run.run, words) == by_typer(run.run, words)


def test_options_among_the_arguments() -> None:
    """Where a command has them so; ``--`` ends them."""
    assert quickly(containers.ps, ["-a", "--", *[]]) == by_typer(containers.ps, ["-a", "--"])
    with pytest.raises(NotUnderstood):
        parse(containers.ps, ["-a", "x"])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--rm",
        "--help",
        "--nothing alpine",
        "-Z alpine",
        "-itZ alpine",
        "--cpu-shares x alpine",
        "--cpu-shares",
        "--rm=x alpine",
    ],
)
def test_what_is_wrong_is_left_to_typer(line: str) -> None:
    with pytest.raises(NotUnderstood):
        parse(run.run, shlex.split(line))


def test_the_environment_stands_in_for_global_options() -> None:
    chosen = from_environment(GlobalOptions, {"MOBY_HOST": "", "MOBY_DATA_ROOT": "/d", "HOME": "/"})
    assert chosen == {"data_root": "/d"}


def test_the_common_commands_are_declared_under_their_names() -> None:
    assert {command.name for command in COMMANDS} <= set(LEAVES)


#: What costs more than a command: each took milliseconds of every ``moby run`` until it was left out.
NEVER = {
    *("ast", "click", "dataclasses", "http", "http.client", "importlib.metadata", "platform", "pyroute2"),
    *("rich", "shutil", "tarfile", "tempfile", "textual", "typer", "typing_extensions", "unittest", "urllib.request", "zipfile"),
}


def _modules(program: str) -> set[str]:
    report = "; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program + report], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_version_imports_next_to_nothing() -> None:
    loaded = _modules("from moby_tui.cli.app import run; assert run(['version']) == 0")
    assert loaded & (NEVER | {"asyncio", "inspect", "json.decoder", "msgspec", "sqlite3", "ssl"}) == set()
