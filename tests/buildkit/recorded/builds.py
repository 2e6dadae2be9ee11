"""Builds that buildx is asked for: of dockerd, whose answers are recorded, and of us.

``python -m buildkit.recorded.builds SOCKET`` (in ``tests/``) records the answers of the daemon behind that socket, which has the
image busybox of ``bench.image`` and no network.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

RECORDED = Path(__file__).parent / "dockerd_28_5_builds.json"
_USERS = (
    "RUN mkdir -p /etc && printf 'root:x:0:0::/:/bin/sh\\nbob:x:1000:1001::/:/bin/sh\\n' >/etc/passwd "
    "&& printf 'root:x:0:\\nbob:x:1001:\\n' >/etc/group"
)


class Case(NamedTuple):
    """``files`` are in the context, by name; ``Dockerfile`` is one of them. ``words`` are options; ``{}`` is the folder beside it."""

    name: str
    files: dict[str, str]
    words: tuple[str, ...] = ()
    #: the context; a dot is the folder, ``-`` the folder as a tar on standard input
    context: str = "."
    stdin: str = ""


def _case(name: str, dockerfile: str, *words: str, context: str = ".", stdin: str = "", **files: str) -> Case:
    named = {path.replace("__", "/").replace("_dot_", "."): text for path, text in files.items()}
    return Case(name, {"Dockerfile": dockerfile, **named}, words, context, stdin)


CASES = [
    _case("a run", 'FROM busybox\nENV A=b PATH=/x:$PATH\nRUN echo out; echo err >&2; touch /made\nCMD ["sh", "-c", "x"]\n'),
    _case(
        "stages",
        "FROM busybox AS base\nRUN echo 1 >/one\nFROM base AS two\nWORKDIR /w\nCOPY f /f\nFROM scratch AS s\n"
        "COPY --from=base /one /one\nFROM two\nCOPY --from=s /one /w/\nCOPY --from=0 /one /zero\n",
        f="f\n",
    ),
    _case("a stage of a target", "FROM busybox AS a\nRUN echo a >/a\nFROM busybox AS b\nRUN false\n", "--target", "a"),
    _case(
        "arguments",
        'ARG TAG=latest\nARG UNUSED=1\nFROM busybox:$TAG\nARG TAG\nARG A=1\nARG B\n'
        'ENV E=$A-$B-${A:-c}\nRUN echo "$TAG $A $B $E"\nLABEL l=$B\n',
        *("--build-arg", "B=two", "--label", "mine=yes"),
    ),
    _case("platform arguments", "FROM busybox\nARG TARGETARCH BUILDPLATFORM TARGETOS\nRUN echo $TARGETOS $TARGETARCH $BUILDPLATFORM\n"),
    _case(
        "copies",
        f"FROM busybox\n{_USERS}\nCOPY a b /t/\nCOPY d /d\nCOPY --chown=bob:bob --chmod=640 a /own\nCOPY *.x /x/\nCOPY --link d/e /l/e\n"
        "ADD --chown=1:2 d /e/\n",
        **{"a": "a", "b": "b", "d__e": "e", "d__deep__f": "f", "1_dot_x": "1", "2_dot_x": "2"},
    ),
    _case(
        "an ignore file",
        "FROM scratch\nCOPY . /c/\n",
        **{"_dot_dockerignore": "*.log\n!keep.log\nsub\n!sub/one\n# no\n", "a_dot_log": "", "keep_dot_log": "k"},
        **{"sub__one": "1", "sub__two": "2", "c": "c"},
    ),
    _case("an ignore file of its own", "FROM scratch\nCOPY . /c/\n", Dockerfile_dot_dockerignore="a\n", _dot_dockerignore="b\n", a="a", b="b"),  # noqa: E501
    _case(
        "here-documents",
        "FROM busybox\nRUN <<E\necho in a script\necho two >/two\nE\nCOPY <<F <<-'G' /here/\n$PATH is\nF\n\tplain $PATH\nG\n",
    ),
    _case(
        "configuration",
        'FROM busybox\nMAINTAINER me\nLABEL a="b c" d=e\nEXPOSE 80 53/udp\nVOLUME /v ["/w"]\nUSER 1:2\nWORKDIR /x/y\nWORKDIR z\n'
        'STOPSIGNAL SIGKILL\nHEALTHCHECK --interval=5s --retries=2 CMD true\nSHELL ["/bin/sh", "-e", "-c"]\nENTRYPOINT echo\nONBUILD RUN true\n',  # noqa: E501
    ),
    _case(
        "mounts of a run",
        "FROM busybox\nRUN --mount=type=bind,source=f,target=/f cat /f\nRUN --mount=type=cache,target=/c echo k >>/c/k; cat /c/k\n"
        "RUN --mount=type=tmpfs,target=/t echo x >/t/x\nRUN --mount=from=busybox,target=/b ls /b/bin/busybox\n",
        f="file\n",
    ),
    _case(
        "secrets",
        "FROM busybox\nRUN --mount=type=secret,id=s cat /run/secrets/s\nRUN --mount=type=secret,id=e,env=E echo $E\n"
        "RUN --mount=type=secret,id=none ls /run/secrets || true\nRUN --mount=type=secret,id=s,target=/k,mode=0440,uid=5 stat -c '%a %u' /k\n",  # noqa: E501
        *("--secret", "id=s,src={}/secret", "--secret", "id=e,env=BUILD_SECRET"),
        **{"..__secret": "hush\n"},
    ),
    _case(
        "a named context",
        "FROM busybox\nCOPY --from=more x /x\nRUN cat /x\n",
        *("--build-context", "more={}/more"),
        **{"..__more__x": "named\n", "..__more__ignored": "", "..__more___dot_dockerignore": "ignored\n"},
    ),
    _case("an image as a named context", "FROM nosuch\nRUN echo it is\n", "--build-context", "nosuch=docker-image://busybox"),
    _case("hosts", "FROM busybox\nRUN grep -c there.test /etc/hosts\n", "--add-host", "there.test:10.1.2.3"),
    _case("limits", "FROM busybox\nRUN ulimit -n; ulimit -Hn\n", "--ulimit", "nofile=100:200"),
    _case("a Dockerfile elsewhere", "FROM scratch\n", "-f", "{}/other.Dockerfile", **{"..__other_dot_Dockerfile": "FROM scratch\nCOPY f /g\n", "f": "f"}),  # noqa: E501
    _case("a Dockerfile on standard input", "FROM scratch\n", "-f", "-", stdin="FROM scratch\nCOPY f /h\n", f="f"),
    _case("a context on standard input", "FROM scratch\nCOPY f /i\n", context="-", f="f"),
    _case("an archive to add", "FROM scratch\nADD a.tar /t/\nADD --unpack=false a.tar /u/\n", **{"a_dot_tar": "\0TAR"}),
    _case("links in the context", "FROM busybox\nCOPY l /copied\nCOPY . /all/\nRUN readlink /all/l\n", f="f", l="\0->f"),
    _case("checks", "from busybox as Base\nFROM busybox\nENV a b\nCMD echo hi\nMAINTAINER x\nWORKDIR rel\n"),
    _case("no cache of a stage", "FROM busybox AS a\nRUN echo one\nFROM a AS b\nRUN echo two\n", "--no-cache-filter", "b"),
    _case("an epoch", "FROM busybox\nRUN touch /x\n", "--build-arg", "SOURCE_DATE_EPOCH=1000000000"),
    # broken ones
    _case("a command that fails", "FROM busybox\nRUN echo before; \\\n  exit 3\nRUN true\n"),
    _case("a command that is missing", "FROM busybox\nRUN nosuch\n"),
    _case("an unknown instruction", "FROM busybox\n\nRUNN x\n"),
    _case("an unknown flag", "FROM busybox\nCOPY --form=x a b\n"),
    _case("a missing file", "FROM busybox\nCOPY nosuch /\n"),
    _case("a missing file of a stage", "FROM busybox AS a\nFROM a\nCOPY --from=a /nosuch /\n"),
    _case("an ignored file", "FROM scratch\nCOPY f /\n", _dot_dockerignore="f\n", f="f"),
    _case("a missing target", "FROM busybox AS one\n", "--target", "two"),
    _case("a missing Dockerfile", "FROM busybox\n", "-f", "Nofile"),
    _case("an empty Dockerfile", "\n"),
    _case("no stage", "RUN true\n"),
    _case("no stage but arguments", "ARG a\n"),
    _case("a base without a name", "ARG X\nFROM $X\n"),
    _case("a stage with a bad name", "FROM busybox AS 1bad\n"),
    _case("three words after FROM", "FROM busybox base\n"),
    _case("a document without an end", "FROM busybox\nRUN <<E\necho\n"),
    _case("a secret that is required", "FROM busybox\nRUN --mount=type=secret,id=s,required=true true\n"),
    _case("an agent that is required", "FROM busybox\nRUN --mount=type=ssh,required=true true\n"),
    _case("a mount of no kind", "FROM busybox\nRUN --mount=type=nosuch,target=/x true\n"),
    _case("checks that fail the build", "# check=error=true\nFROM busybox\nENV a b\n"),
    _case("an image only", "FROM scratch\n"),
    _case("a port out of range", "FROM busybox\nEXPOSE 99999999\n"),
    _case("a signal that is none", "FROM busybox\nSTOPSIGNAL nosuch\n"),
    _case("an instruction without arguments", "FROM busybox\nENV\n"),
    _case("the host's network without leave", "FROM busybox\nRUN --network=host true\n"),
    _case("a file outside of the context", "FROM busybox\nCOPY ../secret /\n", **{"..__secret": "hush\n"}),
    _case("a NUL character", "FROM scratch\nCOPY f\0 /\n", f=""),
    _case("a Dockerfile that leads outside", "\0->../secret", **{"..__secret": "FROM scratch\n"}),
    _case("a Dockerfile that is a folder", "FROM scratch\n", "-f", "d", d__f=""),
    _case("a link that leads outside", "FROM scratch\nCOPY l/secret /\n", **{"l": "\0->..", "..__secret": "hush"}),
    _case("a link to a file outside", "FROM scratch\nCOPY l /\n", **{"l": "\0->../secret", "..__secret": "hush"}),
    _case("names that are no words", "FROM scratch\nCOPY . /c/\n", **{"new\nline": "1", "-rf": "2", "a b": "3", "\u00e9": "4"}),
    _case("a wrong pattern in the ignore file", "FROM scratch\nCOPY . /\n", _dot_dockerignore="a[b\n", f=""),
    _case("an ignore file that is a folder", "FROM scratch\nCOPY f /\n", _dot_dockerignore__x="", f=""),
    _case("a secret with a path as its id", "FROM busybox\nRUN --mount=type=secret,id=../../etc/shadow,required=true true\n"),
    _case("a mount on the root", "FROM busybox\nRUN --mount=type=tmpfs,target=/ true\n"),
    _case("a link in the image that leads outside", "FROM busybox\nRUN ln -s ../../../../tmp /l\nCOPY f /l/escaped\n", f="f"),
    _case("variables without an end", "FROM busybox\nENV A=${B\n"),
    _case("a stage of itself", "FROM a AS a\n", "--build-context", "a=docker-image://127.0.0.1:1/none"),
]  # fmt: skip


def take(path: Path, folder: Path, cases: list[Case] = CASES) -> dict[str, Any]:
    """The answer of the daemon behind a socket to each case, whose files are made in ``folder``."""
    return {case.name: _take(path, folder / str(number), case) for number, case in enumerate(cases)}


def _take(path: Path, folder: Path, case: Case) -> dict[str, Any]:
    context = folder / "context"
    for name, text in case.files.items():
        _write(context / name, text)
    image = f"case{folder.name}"
    archive = folder / "files.tar"
    done = _buildx(path, folder, case, "-o", f"type=image,name={image}", "-o", f"type=tar,dest={archive}")
    found: dict[str, Any] = {"status": done.returncode, **_told(done.stderr.decode())}
    if done.returncode:
        return found
    [inspected] = json.loads(docker(path, "image", "inspect", image).stdout)
    config = {name: value for name, value in inspected["Config"].items() if value and name != "ArgsEscaped"}
    if health := config.get("Healthcheck"):
        config["Healthcheck"] = {name: value for name, value in health.items() if value}
    found["configuration"] = {**config, "Author": inspected.get("Author", ""), "Architecture": inspected["Architecture"]}
    found["files"] = _files(archive)
    return found


def _write(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if text.startswith("\0->"):
        place.symlink_to(text[3:])
    elif text == "\0TAR":
        with tarfile.open(place, "w") as archive:
            member = tarfile.TarInfo("in/it")
            member.size = 2
            archive.addfile(member, io.BytesIO(b"it"))
    else:
        place.write_text(text)


def _buildx(path: Path, folder: Path, case: Case, *words: str) -> subprocess.CompletedProcess[bytes]:
    context = folder / "context"
    stdin = case.stdin.encode()
    if case.context == "-":
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
            archive.add(context, ".")
        stdin = buffer.getvalue()
    own = [word.replace("{}", str(folder)) for word in case.words]
    return docker(
        path, "buildx", "build", "--progress", "plain", "--network", "none", *own, *words, case.context, cwd=context, input=stdin
    )


def docker(path: Path, *words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "DOCKER_HOST": f"unix://{path}", "BUILD_SECRET": "of the environment"}
    return subprocess.run(["docker", *words], env=environment, capture_output=True, timeout=120, **options)


def _told(text: str) -> dict[str, Any]:
    """The steps by name, what commands have said, the warnings, and the error with its lines."""
    steps, said, cached = set(), [], 0
    for line in text.splitlines():
        if found := re.fullmatch(r"#\d+ (\[.*)", line):
            steps.add(found[1])
        elif found := re.fullmatch(r"#\d+ \d+\.\d+ (.*)", line):
            said.append(found[1])
        cached += bool(re.fullmatch(r"#\d+ CACHED", line))
    warnings = re.findall(r"^(?:\x1b\[0m)? - (\w+: .*)$", text, re.MULTILINE)
    found = re.search(r"^(?:\S+:\d+\n-{20}\n(?:.*\n)*?-{20}\n)?ERROR: .*", text, re.MULTILINE)
    error = re.sub(r"checksum of ref \S+", "checksum of ref REF", found[0]) if found else ""
    return {
        "steps": sorted(steps),
        "said": sorted(said),
        "warnings": sorted(warnings),
        "error": error.replace("failed to compute cache key: ", "").splitlines(),
    }


def _files(archive: Path) -> list[str]:
    """All files but those of busybox itself, with what they are."""
    found = []
    with tarfile.open(archive) as members:
        for member in members:
            if member.name.strip("/").partition("/")[0] in ("bin", "dev", "proc", "sys"):
                continue
            data = members.extractfile(member) if member.isreg() else None
            digest = hashlib.sha256(data.read()).hexdigest()[:8] if data else member.linkname
            found.append(f"{member.name.strip('/')} {member.type.decode()} {member.mode:o} {member.uid}:{member.gid} {digest}")
    return sorted(found)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        docker(Path(sys.argv[1]), "builder", "prune", "-af")
        RECORDED.write_text(json.dumps(take(Path(sys.argv[1]), Path(name)), indent=1) + "\n")
