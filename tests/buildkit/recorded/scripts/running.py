"""Runs scripts of docker's clients against the daemon behind a socket: the status and the output of each, without what varies."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent


class Script(NamedTuple):
    """``text`` is for bash, in an empty folder. ``b`` builds, ``look`` prints what was made."""

    name: str
    text: str


_PRELUDE = f"""\
b() {{ docker buildx build --progress plain --network none "$@"; }}
look() {{ {sys.executable} {FOLDER / "look.py"} "$@"; }}
"""
_VARYING = (
    (r"\b[0-9a-f]{64}\b", "DIGEST"),
    (r"\b(?=[a-z0-9]*[0-9])[a-z0-9]{25}\b", "REF"),
    (r"\b\d{4}[/-]\d\d[/-]\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| \+0000 UTC)?", "MOMENT"),
    (r"\b\d+\.\d+s\b", "SECONDS"),
    (r"\b[0-9a-f]{40}\b", "COMMIT"),
    (r"checksum of ref \S+", "checksum of ref REF"),
    ("failed to compute cache key: ", ""),
    (r"/tmp/(buildx|docker)[-a-z]*\d+", "/tmp/FOLDER"),
)


def read(name: str) -> list[Script]:
    """The scripts of the file ``NAME.sh``: each begins with a line ``### its name``."""
    sections = (FOLDER / f"{name}.sh").read_text().split("\n### ")[1:]
    return [Script(*section.split("\n", 1)) for section in sections]


def agree(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """True if they are the same; our error may go on to say what to do."""
    if any(theirs[field] != ours[field] for field in ("status", "out", "steps")) or len(theirs["err"]) != len(ours["err"]):
        return False
    pairs = zip(theirs["err"], ours["err"], strict=True)
    return all(one == other or (one.startswith("ERROR: ") and other.startswith(f"{one}; ")) for one, other in pairs)


def take(path: Path, folder: Path, scripts: list[Script], servers: Mapping[str, str]) -> dict[str, Any]:
    """``servers`` are the addresses of a registry, a web server and a server of repositories, by the variables that name them."""
    return {script.name: _take(path, folder / str(number), script, servers) for number, script in enumerate(scripts)}


def _take(path: Path, folder: Path, script: Script, servers: Mapping[str, str]) -> dict[str, Any]:
    folder.mkdir(parents=True)
    environment = {**os.environ, **servers, "DOCKER_HOST": f"unix://{path}", "BUILDX_CONFIG": str(folder.parent / "buildx")}
    environment |= {"OUTSIDE": "of the environment", "BUILDKIT_COLORS": "", "NO_COLOR": "1"}
    done = subprocess.run(
        ["bash", "-c", _PRELUDE + script.text],
        cwd=folder,
        env=environment,
        capture_output=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    known = {value: f"${name}" for name, value in servers.items()} | {str(folder): "FOLDER", str(path): "SOCKET"}
    return {"status": done.returncode, "out": _lines(done.stdout, known), **_progress(_lines(done.stderr, known))}


def _lines(output: bytes, known: Mapping[str, str]) -> list[str]:
    text = output.decode("utf-8", "replace").replace("\r\n", "\n")
    for value, name in known.items():
        text = text.replace(value, name)
    for pattern, name in _VARYING:
        text = re.sub(pattern, name, text)
    return text.splitlines()


def _progress(lines: list[str]) -> dict[str, list[str]]:
    """The steps of a plain progress, sorted since several are done at once, and the other lines."""
    steps, others = set[str](), list[str]()
    for line in lines:
        if found := re.fullmatch(r"#\d+ (.*)", line):
            steps.add(_steady_step(found[1]))
        elif line:
            # the output of a command before an error begins with its time
            others.append(re.sub(r"^\d+\.\d+ ", "", line))
    return {"steps": sorted(step for step in steps if step and not step.startswith(_FICKLE)), "err": others}


#: What git says.
_GIT = (" * [new", "From git:", "Initialized empty", "ref: refs/", "COMMIT")
#: Lines that come or not by the order of events, and those of the base's digest and of a step that another build has named.
_FICKLE = ("WARN: ", "...", "CACHED", "resolve ", "extracting ", "copy /context", *_GIT)


def _steady_step(text: str) -> str:
    text = re.sub(r"^(DONE|ERROR:?.*) SECONDS$", r"\1", text)
    text = re.sub(r"^\d+\.\d+ ", "", text)
    # BuildKit names a step that several builds share as the first of them does
    text = re.sub(r"^\[[^]]*\] (FROM [^@]*)(@.*)?$", r"\1", text)
    text = re.sub(r"^\[(?:[\w-]+ )?(\d+/\d+)\] ", r"[\1] ", text)
    if re.match(r"(transferring|sending|exporting|copying|writing|naming|unpacking|sha256:|extracting|pushing|preparing) ", text):
        text = re.sub(r"( \d+(\.\d+)?[kMG]?B( / \d+(\.\d+)?[kMG]?B)?)?( SECONDS)?( done)?$", "", text)
    return text
