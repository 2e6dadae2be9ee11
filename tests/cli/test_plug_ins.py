"""Plug-ins of docker's command line, called by moby."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest

from cli.conftest import Cli

#: Prints its words and what the engine at its host says of containers, and ends as its last word says.
PLUG_IN = f"""#!{sys.executable}
import http.client, json, os, signal, socket, sys
words = sys.argv[1:]
place = words[words.index("--host") + 1]
class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(place.removeprefix("unix://"))
def ask(method, path):
    connection = Connection("x")
    connection.request(method, path)
    return json.loads(connection.getresponse().read() or "null")
signal.signal(signal.SIGINT, lambda *_: (print(len(ask("GET", "/containers/json?all=1")), flush=True), os._exit(9)))
print(json.dumps([words[2:], [one["Names"] for one in ask("GET", "/containers/json?all=1")]]), flush=True)
if words[-1] == "wait":
    signal.pause()
sys.exit(int(words[-1]))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """docker's configuration, with the plug-in ``docker-tell``."""
    programs = tmp_path / "docker/cli-plugins"
    programs.mkdir(parents=True)
    (programs / "docker-tell").write_text(PLUG_IN)
    (programs / "docker-tell").chmod(0o755)
    (programs / "docker-text").write_text("no program")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return programs


def test_a_plug_in_has_the_engine_of_this_process(folder: Path, box: Cli) -> None:
    box("create", "--name", "one", "--network", "none", "box", "true")
    done = box("tell", "--help", "-x", "a", "7", check=False)
    assert (done.returncode, json.loads(done.stdout)) == (7, [["tell", "--help", "-x", "a", "7"], [["/one"]]])
    assert box("-D", "tell", "0").stdout
    for name in ("text", "nosuch", "../tell"):
        lost = box(name, check=False)
        assert lost.returncode == 1 and "unknown command" in lost.stderr


def test_ctrl_c_is_for_the_plug_in_and_the_engine_still_answers_it(
    folder: Path, box: Cli, begin: Callable[..., Popen[bytes]]
) -> None:
    process = begin("tell", "wait", start_new_session=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()
    assert json.loads(line) == [["tell", "wait"], []]
    os.killpg(process.pid, signal.SIGINT)
    assert process.stdout.readline() == b"0\n"
    assert process.wait(30) == 9


def test_another_engine_is_named_to_the_plug_in(folder: Path, cli: Cli) -> None:
    (folder / "docker-tell").write_text('#!/bin/sh\necho "$@"\n')
    assert cli("-H", "ssh://me@there", "tell", "a").stdout == "--host ssh://me@there tell a\n"
    line = ("--tlsverify", "--tlscacert", "/ca", "-H", "tcp://there:1", "tell")
    assert cli(*line).stdout == "--host tcp://there:1 --tlsverify --tlscacert /ca tell\n"
