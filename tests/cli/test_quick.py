"""The parser without Typer: it reads what it understands as Typer does, and leaves the rest."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command_from_info

from moby_tui.cli.flags import typer_command
from moby_tui.cli.quick import NotUnderstood, from_environment, parse
from moby_tui.cli.table import builds, containers, root
from moby_tui.cli.table.declare import Command
from moby_tui.cli.table.root import GlobalOptions

COMMANDS = {id(command): command for name in root.NOUNS for command in root.noun(name).commands}.values()
RUN = next(command for command in containers.CONTAINER.commands if command.name == "run")
PS = next(command for command in containers.CONTAINER.commands if command.name == "ls")
Reading = tuple[dict[str, Any], dict[str, Any]]


class ByTyper:
    """Calls a command by way of Typer, and returns what its function is called with."""

    def __init__(self, command: Command) -> None:
        self.calls: list[Reading] = []
        info = typer_command(command, lambda options, **arguments: self.calls.append((vars(options), arguments)))
        self.built = get_command_from_info(info, pretty_exceptions_short=False, rich_markup_mode=None)

    def __call__(self, words: list[str]) -> Reading:
        self.built.main(words, prog_name="x", standalone_mode=False)
        return self.calls.pop()


def quickly(command: Command, words: list[str]) -> Reading:
    options, arguments = parse(command, words)
    return vars(options), arguments


def sample(kind: str) -> str:
    return "-7" if kind.startswith("int") else "a=b"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.function)
def test_every_option_in_every_spelling_is_read_as_typer_reads_it(command: Command) -> None:
    rest = [word for argument in command.arguments for word in (["one", "two"] if argument.many else ["one"])]
    rest += [] if command.interspersed or not rest else ["-x"]
    by_typer = ByTyper(command)
    required = [word for option in command.options.declared.values() if option.required for word in (option.names[0], "x")]
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
                words = [*spelling, *required, *rest]
                assert quickly(command, words) == by_typer(words), words


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
    assert quickly(RUN, words) == ByTyper(RUN)(words)


def test_options_among_the_arguments() -> None:
    """Where a command has them so; ``--`` ends them."""
    assert quickly(PS, ["-a", "--"]) == ByTyper(PS)(["-a", "--"])
    assert quickly(builds.BUILD, [".", "--pull", "-tx"]) == ByTyper(builds.BUILD)([".", "--pull", "-tx"])
    with pytest.raises(NotUnderstood):
        parse(PS, ["-a", "x"])


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
        parse(RUN, shlex.split(line))


def test_the_environment_stands_in_for_global_options() -> None:
    chosen = from_environment(GlobalOptions, {"MOBY_HOST": "", "MOBY_DATA_ROOT": "/d", "HOME": "/"})
    assert chosen == {"data_root": "/d"}


#: Each took milliseconds of every ``moby run`` until it was left out.
NEVER = {
    *(
        "_bz2",
        "_lzma",
        "_ssl",
        "aiohttp",
        "ast",
        "click",
        "http.client",
        "importlib.metadata",
        "importlib.resources",
        "pyroute2",
        "pyseccomp",
        "random",
    ),
    *("rich", "shutil", "tempfile", "textual", "tokenize", "typer", "unittest", "urllib.request", "zipfile"),
}
#: What an engine imports that stays open for a second, as on a busy machine: it then watches monitors and firewall, and records the history.
WATCH = {
    "moby_tui." + module
    for module in (
        "engine.containers.log_tail",
        "engine.containers.start.restarting",
        "engine.containers.start.resuming",
        "engine.containers.start.watching",
        "engine.containers.views",
        "engine.containers.views.stats",
        "engine.history",
        "engine.history.journal",
        "engine.history.records",
        "engine.kernel.cgroup.block_io",
        "engine.kernel.cgroup.group",
        "engine.kernel.cgroup.oom",
        "engine.kernel.cgroup.v1",
        "engine.kernel.cgroup.v2",
        "engine.kernel.inotify",
        "engine.recording",
        "engine.resources.networks.operation",
        "engine.resources.networks.operation.firewall_watch",
        "engine.runtime.client.log_files",
        "engine.runtime.client.stats",
        "engine.runtime.monitor",
        "engine.runtime.monitor.logs",
        "engine.runtime.monitor.logs.json_file",
        "engine.runtime.monitor.logs.local",
        "engine.runtime.monitor.logs.rotation",
        "schema.stats",
    )
} | {
    # of the history
    "msgspec.msgpack",
    "zlib",
    # of the interpreter's compiler, where no bytecode is kept
    "unicodedata",
}
#: All modules of each that are executed, the interpreter's own and the standard library's among them, but not those that ``deferral``
#: puts off and nothing uses.
MOST = {
    # 289; one more on a busy machine, where other workers change the firewall meanwhile
    "run --rm box true": 290,
    "ps -a": 204,
    # 237: with execs' part of the API (schema/exec.py)
    "exec kept true": 237,
    # among them what of the JSON is left out (schema/omitted.py)
    "inspect kept": 211,
    "logs kept": 206,
    "stop -t 0 kept": 211,
    "rm -f kept": 212,
}


def _modules(program: str) -> set[str]:
    report = "; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program + report], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_version_imports_next_to_nothing() -> None:
    loaded = _modules("from moby_tui.cli.app import run; assert run(['version']) == 0")
    assert loaded & (NEVER | {"asyncio", "dataclasses", "inspect", "json", "msgspec", "sqlite3", "ssl", "typing"}) == set()


@pytest.mark.parametrize("line", MOST, ids=lambda line: line.split()[0])
def test_a_common_command_imports_what_it_needs_and_no_more(box: Any, roots: tuple[Path, Path], line: str) -> None:
    """Read at the very end, where the process would leave."""
    # a listing with a container in a network would look at what other workers change in the firewall; a run finds the bridge made
    network = "bridge" if line.startswith("run") else "none"
    box("run", "-d", "--name", "kept", "--network", network, "box", "sleep", "1000")
    program = (
        "import os, sys; leave, us = os._exit, os.getpid()\n"
        "executed = lambda: [name for name, module in sys.modules.items() if type(vars(module).get('__loader__')).__name__ != '_Deferred']\n"
        "os._exit = lambda status: (os.getpid() == us and print(*executed(), flush=True), leave(status))\n"
        f"sys.argv = ['moby', *{line.split()!r}]\n"
        "from moby_tui.__main__ import main; main()"
    )
    environment = {**os.environ, "MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1])}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.splitlines()[-1].split())
    assert loaded & NEVER == set()
    assert len(loaded - WATCH) <= MOST[line]


_COMPILED = """
import os, sys

leave, us, annotations = os._exit, os.getpid(), []

def note(event, args):
    frame = sys._getframe(1) if event == "compile" and args[1] == "<string>" else None
    while frame is not None:
        if frame.f_code.co_filename.endswith("/msgspec/_utils.py"):
            annotations.append(args[0].decode())
            break
        frame = frame.f_back

def report(status):
    if os.getpid() == us:
        print(*annotations, sep=", ", file=sys.stderr, flush=True)
    leave(status)

os._exit = report
sys.addaudithook(note)
sys.argv = ["moby", *{words}]
from moby_tui.__main__ import main; main()
"""


@pytest.mark.parametrize("line", ["run --rm box true", "ps -a", "inspect kept", "logs kept"])
def test_a_common_command_compiles_no_annotations(box: Any, roots: tuple[Path, Path], line: str) -> None:
    """msgspec compiles each annotation that is text, as all are in a module with ``from __future__ import annotations``: 30 microseconds."""
    network = "bridge" if line.startswith("run") else "none"
    box("run", "-d", "--name", "kept", "--network", network, "box", "sleep", "1000")
    program = _COMPILED.replace("{words}", repr(line.split()))
    environment = {**os.environ, "MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1])}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    # msgspec's own, when it is imported
    assert done.stderr.splitlines()[-1] == "Foo"
