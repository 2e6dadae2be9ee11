"""Usage, help and errors: what needs no engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from moby_tui.version import VERSION

Cli = Callable[..., subprocess.CompletedProcess[str]]


def test_version(cli: Cli) -> None:
    assert cli("--version").stdout == f"moby version {VERSION}\n"
    assert cli("version", "--format", "{{.Client.Version}} {{.Server.Version}}").stdout == f"{VERSION} {VERSION}\n"
    assert json.loads(cli("version", "-f", "json").stdout)["Server"]["Os"] == "linux"


def as_nobody(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command line without root. Its modules are imported before, since the tests' interpreter may lie where only root reads."""
    code = (
        "import os, sys, encodings.idna, platform, moby_tui.cli.app as app\n"
        "import moby_tui.cli.commands.system.version, moby_tui.cli.commands.containers.ps\n"
        "import moby_tui.cli.values.filters, moby_tui.cli.output.table\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sys.exit(app.run(sys.argv[1:]))"
    )
    environment = {key: value for key, value in os.environ.items() if key != "MOBY_HOST"}
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment)


def test_version_needs_no_root() -> None:
    done = as_nobody("version")
    assert done.returncode == 0, done.stderr
    assert VERSION in done.stdout


def test_root_is_asked_for() -> None:
    done = as_nobody("ps")
    assert done.stderr == "moby: moby needs root here: run it with sudo, or point it at a daemon with -H\n"
    assert done.returncode == 1


def test_help_lists_commands_and_examples(cli: Cli) -> None:
    text = cli("--help").stdout
    assert "Examples:" in text
    assert "  run " in text
    assert cli().stdout == text


@pytest.mark.parametrize(
    ("line", "message", "status"),
    [
        ("ps --foo", "no such option: --foo", 125),
        ("stopp x", "unknown command 'stopp'; did you mean 'stop'?", 1),
        ("container foo", "unknown command 'foo'", 1),
        ("swarm x", "command swarm is not implemented yet", 1),
        ("stop", "missing argument", 1),
        ("run", "missing argument", 1),
        ("run -p x alpine", "invalid port 'x'", 125),
        ("run --cpus x alpine", "invalid number of cpus", 125),
        ("run --pids-limit x alpine", "invalid value for '--pids-limit'", 125),
        ("run --rm --restart always alpine", "options --restart and --rm contradict each other", 125),
        ("run -d -a stdout alpine", "options --attach and --detach contradict each other", 125),
        ("run --rm=perhaps alpine", "invalid boolean value 'perhaps'", 125),
        ("run -it alpine", "the input device is not a TTY", 1),
        ("run --env-file /no/such alpine", "cannot read /no/such", 125),
        ("ps -f x", "invalid filter 'x'", 125),
        ("logs --since yesterday y", "invalid time: 'yesterday'", 1),
        ("cp a b", "one of the two must be CONTAINER:PATH", 1),
        ("inspect --type odd x", 'unknown type: "odd": must be one of', 1),
        ("version -f {{range.x}}", "template parsing error: template: :1: unexpected EOF", 64),
        ("ps --format {{nosuch.x}}", 'failed to parse template: template: :1: function "nosuch" not defined', 1),
        ("ps --format {{.Gone}}", "can't evaluate field Gone", 1),
        ("events --format {{.Gone}}", "can't evaluate field Gone", 64),
        ("images a b", "unexpected extra argument", 1),
        ("stop -t x y", "invalid value for '-t'", 125),
        ("logs --tail", "requires an argument", 125),
        ("volume update x", "command volume update is not implemented yet", 1),
        ("checkpoint ls", "command checkpoint is not implemented yet", 1),
        ("--tlsverify --tlscacert /nosuch -H tcp://127.0.0.1:1 ps", "cannot use the TLS files /nosuch: No such file", 1),
        ("-H tcp://127.0.0.1:1 --context other ps", "cannot specify both --host and --context", 1),
        ("--context other ps", 'context "other": context not found', 1),
        ("-l loud ps", "invalid --log-level 'loud'", 1),
        ("tui", "the dashboard needs a terminal", 1),
        ("logs a b", "moby logs shows the log of one CONTAINER; with --tui those of several", 1),
        ("logs --tui --until 1m a b", "--until is not for --tui", 1),
        ("tui --port 1", "--port is of moby tui --web", 1),
    ],
)
def test_errors_are_told(cli: Cli, line: str, message: str, status: int) -> None:
    done = cli(*line.split(), check=False, stdin=subprocess.DEVNULL)
    assert done.stderr.startswith("moby: ")
    assert message in done.stderr
    assert done.returncode == status
    assert done.stdout == ""


def test_unreachable_daemon(cli: Cli) -> None:
    done = cli("-H", "unix:///no/such.sock", "ps", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("moby: ")
    assert len(done.stderr.splitlines()) == 1


def test_completion(cli: Cli) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "__complete" in cli("completion", shell).stdout
    refused = cli("completion", "csh", check=False)
    assert (refused.returncode, refused.stderr) == (1, "moby: unknown shell 'csh': use bash, zsh, fish\n")


def test_dockers_global_options_that_change_nothing(cli: Cli, tmp_path: Path) -> None:
    for words in (
        ("--context", "default"),
        ("-c", "default"),
        ("--log-level", "debug"),
        ("-l=warn",),
        ("--config", str(tmp_path)),
    ):
        assert cli(*words, "ps", "-q").stdout == ""


def test_docker_host_names_the_engine_unless_moby_host_does(cli: Cli) -> None:
    environment = {"DOCKER_HOST": "unix:///no/docker.sock"}
    assert "unix:///no/docker.sock" in cli("ps", check=False, env=environment).stderr
    assert "unix:///no/moby.sock" in cli("ps", check=False, env=environment | {"MOBY_HOST": "unix:///no/moby.sock"}).stderr


def test_info_tells_each_fact_once(cli: Cli) -> None:
    lines = [line.partition(":")[0] for line in cli("info").stdout.partition("Server:")[2].splitlines() if line.startswith(" ")]
    assert len(lines) == len(set(lines))
