"""Command lines as a person types them behind the word ``docker``: declared in families, run, and made comparable.

A module of steps has ``FAMILIES`` and ``RECORDED``, the file with the answers of docker 28.5.2 before its own daemon.
``python -m clients.command_lines MODULE DOCKER SOCKET ARCHIVE [FAMILY...]`` (in ``tests/``) records those anew: of the families of
``clients.MODULE``, with the program DOCKER, of the daemon behind that socket, into which it loads the image ``busybox``.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Answer = dict[str, Any]
Answers = dict[str, Answer]
_PATIENCE = 60


@dataclass(frozen=True)
class Step:
    """One command line. Its text is its name in the answers, with a number if there was one of the same text before."""

    line: str
    stdin: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    #: a command line that is run a second after this one has begun, and before its end is waited for
    meanwhile: str = ""
    #: standard input, output and error are a terminal of 80 columns
    terminal: bool = False
    #: standard output is left out of the answer: it has figures that no two runs share
    silent: bool = False
    #: standard output is a page of help
    is_help: bool = False

    @property
    def name(self) -> str:
        variables = "".join(f"{name}={value} " for name, value in self.environment.items())
        tags = [tag for tag in (self.stdin and "< text", self.terminal and "on a terminal") if tag]
        return f"{variables}{self.line}" + (f" [{', '.join(tags)}]" if tags else "")


@dataclass(frozen=True)
class Family:
    """Steps that are run one after the other on an engine that has the image ``busybox`` and nothing else.

    A step may be the bare text of its line. ``files`` are there in the folder in which the steps are run.
    """

    name: str
    steps: Sequence[Step | str]
    files: Mapping[str, str] = field(default_factory=dict)
    #: how our program reaches its engine in these steps
    doors: Sequence[str] = ("in process", "by a daemon")

    def declared(self) -> Iterator[Step]:
        for step in self.steps:
            yield Step(step) if isinstance(step, str) else step


def take(docker: Sequence[str], environment: Mapping[str, str], folder: Path, family: Family) -> Answers:
    """The answers of a family's steps by their names. ``docker`` are the words that a line is put behind; it has ``folder`` for itself."""
    (folder / "home").mkdir()
    (folder / "configuration").mkdir()
    for name, content in family.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    own = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "DOCKER_CONFIG": str(folder / "configuration"), "TZ": "UTC"}
    variables = {**own, **environment}
    answers: Answers = {}
    for step in family.declared():
        number = sum(name == step.name or name.startswith(f"{step.name} (") for name in answers)
        status, output, error = _run(step, docker, {**variables, **step.environment}, folder)
        answer: Answer = {"status": status, "stderr": comparable(error, folder)}
        if step.is_help:
            answer |= help_page(_without_debugging(output or error)) | {"stream": "stdout" if output else "stderr"}
            answer["stderr"] = "" if not output else answer["stderr"]
        elif not step.silent:
            answer["stdout"] = comparable(output, folder)
        answers[step.name if not number else f"{step.name} ({number + 1})"] = answer
    return answers


def _run(step: Step, docker: Sequence[str], environment: Mapping[str, str], folder: Path) -> tuple[int, str, str]:
    words = [*docker, *shlex.split(step.line)]
    if step.terminal:
        return (*_on_terminal(words, environment, folder), "")
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as error:
        stdin.write(step.stdin.encode())
        stdin.seek(0)
        source = stdin if step.stdin else subprocess.DEVNULL
        process = subprocess.Popen(words, stdin=source, stdout=output, stderr=error, env=dict(environment), cwd=folder)
        try:
            if step.meanwhile:
                time.sleep(1)
                second = [*docker, *shlex.split(step.meanwhile)]
                subprocess.run(second, env=dict(environment), cwd=folder, capture_output=True, timeout=_PATIENCE)
            status = process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        output.seek(0)
        error.seek(0)
        return status, output.read().decode(errors="replace"), error.read().decode(errors="replace")


def _on_terminal(words: Sequence[str], environment: Mapping[str, str], folder: Path) -> tuple[int, str]:
    """The status and what stands on the terminal; the program has it for its own."""
    ours, its = pty.openpty()
    try:
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *words],
            stdin=its,
            stdout=its,
            stderr=its,
            env={"TERM": "xterm", **environment},
            cwd=folder,
        )
    finally:
        os.close(its)
    text = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            # EIO: nobody has the terminal any more
            break
        if not piece:
            break
        text += piece
    os.close(ours)
    return process.wait(_PATIENCE), text.decode(errors="replace")


_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?(Z|[+-]\d\d:?\d\d))?( UTC)?"
_AGO = r"(Less than a second|About an? (minute|hour)|\d+ (second|minute|hour|day|week|month)s?)( ago)?"


def comparable(text: str, folder: Path) -> str:
    """The text with what differs between two runs taken out: ids, moments, places.

    Columns of blanks are narrowed where they stand behind what was taken out.
    """
    text = _without_debugging(text.replace(str(folder), "FOLDER"))
    text = re.sub(r"^(Docker version) .*, build .*$", r"\1 VERSION, build BUILD", text, flags=re.MULTILINE)
    text = re.sub(r"\b[0-9a-f]{64}\b", "ID", text)
    text = re.sub(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{12}\b", "SHORT", text)
    moments = re.sub(_TIME, lambda found: found[0] if found[0].startswith("0001") else "TIME", text)
    moments = re.sub(_AGO, "AGO", moments)
    moments = re.sub(r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b", "MAC", moments)
    if moments != text:
        moments = re.sub(" {3,}", "   ", moments)
    return moments


def _without_debugging(text: str) -> str:
    return re.sub(r"^time=.* level=debug .*\n", "", text, flags=re.MULTILINE)


def help_page(text: str) -> Answer:
    """A page of help in parts: its paragraphs by their headings; of options and commands the names and types, without the descriptions."""
    page: Answer = {}
    for paragraph in re.split(r"\n\n(?=\S)", text.strip("\n")):
        heading, _, rest = paragraph.partition("\n")
        if heading.startswith("Usage: "):
            page["usage"] = paragraph
        elif heading.endswith(("Options:", "Commands:")):
            page[heading] = {name: True for name in re.findall(r"^ {2,6}(\S+(?: \S+)*)(?: {2,}|$)", rest, re.MULTILINE)}
        elif heading.endswith(":"):
            page[heading] = rest
        else:
            page["text"] = [*page.get("text", []), paragraph]
    return page


def record(module: str, docker: str, socket: str, archive: str, *names: str) -> None:
    """Writes the answers of docker and the daemon behind the socket to the module's file."""
    steps = importlib.import_module(f"clients.{module}")
    environment = {"DOCKER_HOST": f"unix://{socket}"}

    def ask(*words: str) -> list[str]:
        command = [docker, *words]
        return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True).stdout.split()

    answers = json.loads(steps.RECORDED.read_text()) if steps.RECORDED.exists() else {}
    known = {family.name for family in steps.FAMILIES}
    for family in steps.FAMILIES:
        if names and family.name not in names:
            continue
        clear(ask)
        ask("load", "-i", archive)
        with tempfile.TemporaryDirectory(dir=Path(socket).parent) as folder:
            answers[family.name] = take([docker], environment, Path(folder), family)
        kept = {name: found for name, found in answers.items() if name in known}
        steps.RECORDED.write_text(json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    clear(ask)


def clear(ask: Callable[..., list[str]]) -> None:
    """Removes containers, images, volumes and networks of an engine."""
    if containers := ask("ps", "-aq"):
        ask("rm", "-fv", *containers)
    if images := ask("images", "-aq"):
        ask("rmi", "-f", *dict.fromkeys(images))
    if volumes := ask("volume", "ls", "-q"):
        ask("volume", "rm", "-f", *volumes)
    ask("network", "prune", "-f")


if __name__ == "__main__":
    record(*sys.argv[1:])
