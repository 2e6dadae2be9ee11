"""Bytes that are not UTF-8 in words and output, and an output that cannot be written: one line at most, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]
BAD = "b\udcff\udcfed"
SHOWN = "b\ufffd\ufffdd"


@pytest.mark.parametrize(
    "words",
    [
        ("inspect", BAD),
        ("logs", BAD),
        ("run", BAD),
        ("run", "--name", BAD, "box"),
        ("run", "-h", BAD, "box"),
        ("run", "-v", f"{BAD}:/x", "box"),
        ("exec", "none", BAD),
        ("tag", "box", BAD),
        ("pull", BAD),
        ("rename", "none", BAD),
        ("kill", "-s", BAD, "none"),
        ("volume", "create", BAD),
        ("build", f"/no/{BAD}"),
        ("load", "-i", f"/no/{BAD}"),
        ("import", f"/no/{BAD}"),
        ("cp", f"{BAD}:/x", "/tmp/y"),
        ("cp", f"none:/{BAD}", "/tmp/y"),
    ],
)
def test_a_word_that_is_no_text_is_refused_in_one_line(box: Cli, words: tuple[str, ...]) -> None:
    done = box(*words, check=False)
    assert done.returncode != 0
    assert done.stderr.startswith("moby: ") and done.stderr.count("\n") == 1, done.stderr


def test_words_become_what_json_makes_of_them(box: Cli) -> None:
    box(
        "create",
        "--name",
        "held",
        "-e",
        f"A={BAD}",
        "-e",
        "INHERITED",
        "-l",
        f"l={BAD}",
        "box",
        "echo",
        BAD,
        env={"INHERITED": BAD},
    )
    [container] = json.loads(box("inspect", "held").stdout)
    assert {f"A={SHOWN}", f"INHERITED={SHOWN}"} <= set(container["Config"]["Env"])
    assert container["Config"]["Labels"]["l"] == SHOWN and container["Args"] == [SHOWN]
    box("commit", "-m", BAD, "held", "made")
    [image] = json.loads(box("inspect", "--type", "image", "made").stdout)
    assert image["Comment"] == SHOWN


@pytest.mark.parametrize("word", ["cp", "build"])
def test_a_word_that_is_also_a_command_of_files_changes_nothing(box: Cli, word: str) -> None:
    box("create", "--name", "held", "box", word, BAD)
    [container] = json.loads(box("inspect", "held").stdout)
    assert [container["Path"], *container["Args"]] == [word, SHOWN]


def test_files_of_such_names_are_copied_and_told_of(box: Cli, tmp_path: Path) -> None:
    source = os.fsencode(tmp_path) + b"/f\xff"
    Path(os.fsdecode(source)).write_text("inside")
    box("create", "--name", "held", "box", "true")
    box("cp", os.fsdecode(source), "held:/g\udcff")
    box("cp", "held:/g\udcff", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "inside"
    assert "A /g\ufffd" in box("diff", "held").stdout.splitlines()


@pytest.mark.parametrize("words", [("ps",), ("images",), ("--help",), ("inspect", "--type", "image", "box")])
def test_a_full_output_is_one_line(box: Cli, roots: tuple[Path, Path], words: tuple[str, ...]) -> None:
    environment = os.environ | {"MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1])}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "moby_tui", *words], stdout=full, stderr=subprocess.PIPE, text=True, env=environment
        )
    assert done.returncode == 1
    assert "no space left on device" in done.stderr and done.stderr.count("\n") == 1


def test_an_output_of_ascii_alone(box: Cli) -> None:
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    box("create", "--name", "held", "box", "echo", "a" * 50)
    assert '"echo aaaaaaaaaaaaaa?"' in box("ps", "-a", env=environment).stdout


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_a_standard_stream_that_is_closed_is_as_one_that_leads_nowhere(box: Cli, closed: tuple[int, ...]) -> None:
    """What a command opens next would get its number, and what is written to the stream."""

    def close() -> None:
        for number in closed:
            os.close(number)

    for words in (("version",), ("ps", "-a"), ("run", "--rm", "-i", "box", "echo", "said"), ("rm", "none")):
        done = box(*words, check=False, preexec_fn=close, stdin=subprocess.DEVNULL)
        assert done.returncode == (words[0] == "rm"), done.stderr
        assert "Traceback" not in done.stderr
        if words[0] == "run":
            assert done.stdout == ("" if 1 in closed else "said\n")
