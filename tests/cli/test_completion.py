"""What shells offer on TAB: the answers of ``moby __complete``, and the scripts in the shells themselves."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import plug_ins
from moby_tui.cli.completion import answer, objects
from moby_tui.cli.completion.scripts import SHELLS, script
from moby_tui.cli.table.root import starts_containers_here

WEB, OLD, ICED = ("web", "box:latest, Up 2 minutes"), ("old", "box:latest, Exited"), ("iced", "box:latest, Paused")
#: What an engine has, by the kind that is asked for.
HELD: dict[tuple[str, ...], list[tuple[str, str]]] = {
    ("containers",): [OLD, WEB, ICED, ("$(touch pwned)", ""), ("-f", ""), ("a b", ""), ("x;y", ""), ("", "")],
    ("containers", "running"): [WEB],
    ("containers", "running", "paused", "restarting"): [WEB, ICED],
    ("containers", "paused"): [ICED],
    ("containers", "created", "exited"): [OLD],
    ("containers", "created", "exited", "dead"): [OLD],
    ("images",): [("box:latest", "0123456789ab"), ("host:5000/team/web:1.0", "\x1b]0;title\x07é"), ("`id`:1", "")],
    ("networks",): [("bridge", "bridge"), ("host", "host"), ("none", "null"), ("front", "bridge")],
    ("networks", "custom"): [("front", "bridge")],
    ("volumes",): [("data", "local"), ("dump", "local")],
    ("secrets",): [("token", "")],
    ("contexts",): [("remote", "a machine")],
    ("contexts", "default"): [("remote", "a machine"), ("default", "")],
    ("objects",): [WEB, ("box:latest", ""), ("front", "bridge")],
}
FILES, NO_FILES, FOLDERS = 0, answer.NO_FILES, answer.ONLY_FOLDERS

LINES = {
    # commands
    "sta": "start stats :4",
    "container l": "logs ls :4",
    "network d": "disconnect doctor :4",
    "compose ": ":4",
    "manifest r": "rm :4",
    "nosuch ": ":4",
    "context u": "update use :4",
    "completion ": "bash zsh fish :4",
    # options
    "--hos": "--host :4",
    "run --network-": "--network-alias :4",
    "ps --al": "--all :4",
    "ps -a --al": ":4",
    "volume ls --q": "--quiet :4",
    "container --": "--help :4",
    "run box --rm": ":0",
    "rm -f -- --fo": ":4",
    # their values
    "run --pull ": "always missing never :4",
    "run --pull=m": "missing :4",
    "run --net ": "bridge front host none :4",
    "run --network=f": "front :4",
    "run --network front --network ": "bridge host none :4",
    "run -it --pid ": "host container: :4",
    "run --pid con": "container: :6",
    "run --pid container:": "container:web :4",
    "run -v da": "data: :2",
    "run -v /": ":0",
    "run -v data:/": ":4",
    "run --env-file ": ":0",
    "run --secret ": "token :4",
    "run --name ": ":4",
    "run -ite ": None,
    "kill -s US": "USR1 USR2 :4",
    "build --secret ": ":4",
    "build -f ": ":0",
    "--context ": "default remote :4",
    "-H ": "unix:// tcp:// ssh:// :6",
    "--data-root ": ":16",
    "-l w": "warn :4",
    "inspect --type im": "image :4",
    # arguments: what the command is for, and what is not there yet
    "stop ": "iced web :4",
    "container stop w": "web :4",
    "stop -t 3 web ": "iced :4",
    "start ": "old :4",
    "unpause ": "iced :4",
    "logs ": "iced old web :4",
    "rm ": "old :4",
    "rm -f ": "iced old web :4",
    "container rm --force old ": "iced web :4",
    "exec -it ": "web :4",
    "exec web ": ":0",
    "rename old ": ":4",
    "run ": "box:latest host:5000/team/web:1.0 :4",
    "run --rm -e A=1 box:": "box:latest :4",
    "run box:latest ": ":0",
    "image rm ho": "host:5000/team/web:1.0 :4",
    "rmi box:latest ": "host:5000/team/web:1.0 :4",
    "tag box:latest b": ":4",
    "network rm ": "front :4",
    "network connect front ": "iced old web :4",
    "volume rm data ": "dump :4",
    "volume cp d": "data: dump: :2",
    "cp we": "web: :2",
    "cp ./": ":0",
    "cp web:/etc": ":4",
    "secret rm ": "token :4",
    "context use ": "default remote :4",
    "context rm ": "remote :4",
    "build ": ":16",
    "load ": ":4",
    "load -i ": ":0",
    "inspect ": "box:latest front web :4",
    "inspect --type network ": "bridge front host none :4",
    "-H unix:///x stop ": "iced web :4",
}


@pytest.mark.parametrize("line", LINES)
def test_what_is_offered(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "named", HELD.__getitem__)
    words = [*shlex.split(line), *([""] if line.endswith(" ") else [])]
    candidates, directive = answer._answer(words)
    expected = LINES[line]
    if expected is None:
        assert {"HOME", "PATH"} <= {name for name, _ in candidates}
    else:
        assert " ".join([*(name for name, _ in candidates), f":{directive}"]) == expected
    assert all(about.isascii() and about.isprintable() for _, about in candidates)


@pytest.fixture
def program(tmp_path: Path, roots: tuple[Path, Path]) -> Iterator[dict[str, str]]:
    """The environment in which ``moby`` and ``docker`` are this command line on the test's roots."""
    folder = tmp_path / "bin"
    folder.mkdir()
    starter = f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
    (folder / "moby").write_text(starter + "from moby_tui.__main__ import main\nmain()\n")
    (folder / "moby").chmod(0o755)
    (folder / "docker").symlink_to("moby")
    names = {"MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1]), "HOME": str(tmp_path)}
    yield {**os.environ, **names, "PATH": f"{folder}:{os.environ['PATH']}"}


def ask(environment: dict[str, str], *words: str, program: str = "moby", command: str = "__complete") -> list[str]:
    done = subprocess.run([program, command, *words], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_names_of_a_real_engine(box: Any, program: dict[str, str], roots: tuple[Path, Path], tmp_path: Path) -> None:
    """By state; under both names; and in bash, with the script sourced."""
    box("run", "-d", "--name", "web", "--network", "none", "box", "sleep", "1000")
    box("create", "--name", "old", "--network", "none", "box", "true")
    name, _, about = ask(program, "stop", "")[0].partition("\t")
    assert name == "web"
    assert about.startswith("box")
    assert ask(program, "start", "", command="__completeNoDesc") == ["old", ":4"]
    assert ask(program, "run", "b", program="docker", command="__completeNoDesc") == ["box:latest", ":4"]
    assert ask(program, "--data-root", str(tmp_path / "none"), "logs", "") == [":4"]
    assert not (tmp_path / "none").exists()
    done = bash(
        program, "docker", "docker run bo", "docker --data-root '" + str(roots[0]) + "' logs o", "docker logs $(touch p) "
    )
    assert done == [["box:latest"], ["old"], []]


def test_nothing_is_said_of_an_engine_that_does_not_answer(program: dict[str, str]) -> None:
    assert ask(program, "-H", "unix:///no/such.sock", "stop", "") == [":4"]
    assert ask(program, "--context", "gone", "run", "--network", "") == [":4"]
    assert ask(program, "-H", "nonsense", "-l", "x", "logs", "") == [":4"]
    assert ask(program) == ask(program, "")


@pytest.mark.parametrize("words", [["run", ""], ["-H", "", "start"], ["daemon", "-"]])
def test_a_completion_starts_no_launcher(words: list[str]) -> None:
    assert not starts_containers_here(["__complete", *words], {})


def bash(
    environment: dict[str, str], name: str, *lines: str, wordbreaks: str = " \t\n\"'><=;|&(:", key: int = 9
) -> list[list[str]]:
    """COMPREPLY for each line, with the cursor at its end and words as readline cuts them."""
    program = [script("bash", name), f"COMP_WORDBREAKS={shlex.quote(wordbreaks)} COMP_TYPE={key}", "COLUMNS=60"]
    for line in lines:
        words = cut(line, wordbreaks)
        program += [
            f"COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)} COMP_CWORD={len(words) - 1}",
            f"COMP_WORDS=({shlex.join(words)})",
            f"__{name}_complete; printf '%s\\0' \"${{COMPREPLY[@]}}\" END",
        ]
    done = subprocess.run(["bash", "-c", "\n".join(program)], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [[reply for reply in part.split("\0") if reply] for part in done.stdout.split("END\0")[:-1]]


def cut(line: str, wordbreaks: str) -> list[str]:
    """As readline: quotes hold together, and = and : are words of their own where they break words."""
    words, quote, fresh, rest = [""], "", True, line
    while rest:
        letter, rest = rest[0], rest[1:]
        if quote or letter in "'\"":
            quote = "" if letter == quote else quote or letter
            words[-1] += letter
        elif rest and letter == "\\":
            words[-1] += letter + rest[0]
            rest = rest[1:]
        elif letter == " ":
            words.append("")
        elif letter in "=:" and letter in wordbreaks:
            words[-1:] = [words[-1], letter, ""] if words[-1] else [letter, ""]
            continue
        else:
            words[-1] += letter
        fresh = letter == " "
    return words if fresh or words[-1] else words[:-1]


#: A stand-in for moby: it notes what it is called with, and offers what a test writes into ``offer``.
NOTING = '#!/bin/sh\nprintf "%s\\n" "$@" > "$NOTES/called"\ncat "$NOTES/offer"\n'


@pytest.fixture
def noting(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "moby").write_text(NOTING)
    (folder / "moby").chmod(0o755)
    return {**os.environ, "NOTES": str(tmp_path), "PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(tmp_path)}


@pytest.mark.parametrize(
    ("line", "called", "offer", "replies"),
    [
        ("moby ", ["__complete", ""], "ps\tList\nrun\n:4", ["ps", "run"]),
        ("moby run --network=fr", ["__complete", "run", "--network=fr"], "front\tbridge\n:4", ["front"]),
        ("moby run --network=", ["__complete", "run", "--network="], "front\n:4", ["front"]),
        ("moby run box:la", ["__complete", "run", "box:la"], "box:latest\n:4", ["latest"]),
        ("moby run --pid=container:w", ["__complete", "run", "--pid=container:w"], "container:web\n:4", ["web"]),
        (
            r"""moby -H 'unix:///a b' "$X\$" c\ d ~/f """,
            ["__complete", "-H", "unix:///a b", "$X$", "c d", "HOME/f", ""],
            ":4",
            [],
        ),
        ("moby $(touch p) `touch p` x", ["__complete", "$(touch", "p)", "`touch", "p`", "x"], ":4", []),
        ('moby logs "we', ["__complete", "logs", "we"], "web\n:4", ["web"]),
        ("moby stop ", ["__complete", "stop", ""], ":1", []),
        ("moby stop ", ["__complete", "stop", ""], "garbage", []),
    ],
)
def test_bash(noting: dict[str, str], tmp_path: Path, line: str, called: list[str], offer: str, replies: list[str]) -> None:
    (tmp_path / "offer").write_text(offer + "\n")
    assert bash(noting, "moby", line) == [replies]
    called = [word.replace("HOME", str(tmp_path)) for word in called]
    assert (tmp_path / "called").read_text().splitlines() == called


def test_bash_lists_what_each_is_and_cuts_at_equals_only_where_bash_does(noting: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "offer").write_text("web\tbox, Up\nwebcam\tbox, Exited\n:4\n")
    assert bash(noting, "moby", "moby logs we", key=63) == [["web     (box, Up)", "webcam  (box, Exited)"]]
    (tmp_path / "offer").write_text("front\n:4\n")
    assert bash(noting, "moby", "moby run --network=f", wordbreaks=" \t\n") == [["--network=front"]]


def test_fish(noting: dict[str, str], tmp_path: Path) -> None:
    fish = plug_ins.require("fish")
    (tmp_path / "moby.fish").write_text(script("fish", "moby"))
    (tmp_path / "offer").write_text("front\tbridge\n:4\n")
    for line, offered in (("moby -H 'a b' run --network=f", "--network=front"), ("moby -H 'a b' run --network f", "front")):
        program = f'source {tmp_path}/moby.fish; complete -C "{line}"'
        done = subprocess.run([fish, "--no-config", "-c", program], env=noting, capture_output=True, text=True, check=True)
        assert done.stdout == f"{offered}\tbridge\n"
        assert (tmp_path / "called").read_text().splitlines() == ["__complete", *shlex.split(line)[1:]]


def test_zsh(noting: dict[str, str], tmp_path: Path) -> None:
    """The function is called as compinit would, with a stand-in for what adds to zle's list."""
    zsh = plug_ins.require("zsh")
    (tmp_path / "moby.zsh").write_text(script("zsh", "moby"))
    (tmp_path / "offer").write_text("host:5000/web\tan image\nplain\n:6\n")
    program = (
        "compdef() { print -r -- registered $@ }; _describe() { print -rl -- ${(P)4:-} ${(P)3} ${@[4,-1]} }\n"
        f"source {tmp_path}/moby.zsh\nwords=(moby -H \"'a b'\" run '$(touch p)' x) CURRENT=6 PREFIX=x; _moby"
    )
    done = subprocess.run([zsh, "-f", "-c", program], env=noting, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert (tmp_path / "called").read_text().splitlines() == ["__complete", "-H", "a b", "run", "$(touch p)", "x"]
    assert "host\\:5000/web:an image" in done.stdout.splitlines()
    assert "registered _moby moby" in done.stdout


def test_every_script_is_whole() -> None:
    for shell in SHELLS:
        text = script(shell, "docker")
        assert "PROGRAM" not in text
        assert "moby" not in text
        assert "eval" not in text.split()
        for opening, closing in ("{}", "[]"):
            assert text.count(opening) == text.count(closing), shell


def test_a_completion_imports_little(roots: tuple[Path, Path]) -> None:
    """Neither Typer nor an event loop for the names of commands and options."""
    never = {"typer", "asyncio", "msgspec"}
    for line in ("'ru'", "'run', '--ne'", "'network', 'create', '--'"):
        text = f"from moby_tui.cli.app import run; run(['__complete', {line}]); import sys; print(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
        assert not never & set(done.stdout.splitlines()[-1].split())
