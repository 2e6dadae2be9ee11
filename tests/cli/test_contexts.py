"""`moby context`, in docker's own files, and engines that are reached by a context or through ssh(1)."""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.conftest import Cli
from moby_tui.cli import session
from moby_tui.cli.global_options import use
from moby_tui.cli.quick import parse
from moby_tui.cli.table.contexts import CONTEXT
from moby_tui.cli.table.root import GlobalOptions
from moby_tui.contexts import archive, choice
from moby_tui.contexts.store import Store
from moby_tui.errors import InvalidArgument, MobyError, NotFound

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
#: What docker calls the folder of the context "web": the SHA-256 of its name.
WEB = "4b5e57f6eb2f42b9039b3d1e13929295f231749c510cbe341cd68036d9af97e2"
#: An ``ssh`` that reaches this machine: drops its options, and gives what is to be executed to a shell, as sshd does.
SSH = """#!/bin/sh
echo "$@" >>"$0.log"
while [ "$1" != -- ]; do shift; done
[ "$2" = nowhere ] && { echo "ssh: Could not resolve hostname nowhere" >&2; exit 255; }
shift 2
exec sh -c "$*"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("DOCKER_HOST", "MOBY_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    session.use(session.Session())
    yield tmp_path / "docker"
    session.use(session.Session())


@pytest.fixture
def context(folder: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., str]:
    """``context("ls", "-q")``: its standard output. Raises the command's error."""

    def run(name: str, *words: str) -> str:
        command = CONTEXT.find(name)
        assert command is not None
        capsysbinary.readouterr()
        options, arguments = parse(command, words)
        command.load()(options, **arguments)
        return capsysbinary.readouterr().out.decode("latin-1")

    return run


def test_a_context_is_written_as_docker_writes_it(context: Callable[..., str], folder: Path, tmp_path: Path) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").write_text(PEM + name)
    files = ",".join(f"{name}={tmp_path}/{name}.pem" for name in ("ca", "cert", "key"))
    assert (
        context("create", "web", "--description", "a b", "--docker", f"host=tcp://h:2376,{files},skip-tls-verify=true") == "web\n"
    )
    meta = folder / f"contexts/meta/{WEB}/meta.json"
    assert meta.read_text() == (
        '{"Name":"web","Metadata":{"Description":"a b"},"Endpoints":{"docker":{"Host":"tcp://h:2376","SkipTLSVerify":true}}}'
    )
    key = folder / f"contexts/tls/{WEB}/docker/key.pem"
    assert (key.read_text(), key.stat().st_mode & 0o777) == (PEM + "key", 0o600)
    [seen] = json.loads(context("inspect", "web"))
    assert seen["TLSMaterial"] == {"docker": ["ca.pem", "cert.pem", "key.pem"]}
    assert seen["Storage"] == {"MetadataPath": str(meta.parent), "TLSPath": str(key.parent.parent)}
    assert json.loads(context("inspect", "-f", "{{json .Endpoints.docker.Host}}", "web")) == "tcp://h:2376"
    chosen = choice.choose(Store(folder), "web")
    assert chosen.tls is not None and chosen.host == "tcp://h:2376"
    assert (chosen.tls.certificate, chosen.tls.verify) == (str(key.with_name("cert.pem")), False)


def test_the_context_in_use(context: Callable[..., str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "config.json").write_text('{"auths": {"r": {"auth": "eDp5"}}}')
    context("create", "web", "--docker", "host=ssh://me@h")
    assert context("show") == "default\n"
    assert context("use", "web") == "web\n"
    assert json.loads((folder / "config.json").read_text()) == {"auths": {"r": {"auth": "eDp5"}}, "currentContext": "web"}
    assert context("show") == "web\n"
    assert "web *" in context("ls") and "default *" not in context("ls")
    assert context("ls", "-q") == "default\nweb\n"
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert context("show") == "default\n"
    monkeypatch.delenv("DOCKER_CONTEXT")
    context("rm", "web")
    assert context("show") == "web\n"
    assert context("rm", "-f", "web", "nosuch") == "web\nnosuch\n"
    assert context("show") == "default\n"
    assert "currentContext" not in json.loads((folder / "config.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "../x", "--docker", "host=unix:///x"), "is invalid, names are validated against regexp"),
        (("create", "default", "--docker", "host=unix:///x"), "reserved context name"),
        (("create", "xx", "--docker", "host=foo"), "invalid host 'foo'"),
        (("create", "xx", "--docker", "hst=foo"), "unrecognized config key: hst"),
        (("create", "xx", "--docker", "host=tcp://h:1,ca=/nosuch"), "cannot read /nosuch"),
        (("create", "xx", "--docker", "host=tcp://h:1,ca=/etc/passwd"), "seems invalid"),
        (("create", "web", "--docker", "host=unix:///x"), 'context "web" already exists'),
        (("use", "nosuch"), 'context "nosuch": context not found'),
        (("update", "nosuch", "--description", "x"), "context not found"),
        (("export", "nosuch"), "context not found"),
        (("import", "gg", "/etc/passwd"), "unexpected EOF"),
        (("import", "gg", "/nosuch"), "no such file or directory"),
    ],
)
def test_errors(context: Callable[..., str], arguments: tuple[str, ...], said: str) -> None:
    context("create", "web", "--docker", "host=unix:///x")
    with pytest.raises(MobyError, match=said):
        context(*arguments)
    assert context("ls", "-q") == "default\nweb\n"


def test_a_context_travels(context: Callable[..., str], folder: Path, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(PEM)
    context("create", "web", "--description", "d", "--docker", f"host=tcp://h:2376,ca={tmp_path}/ca.pem")
    file = str(tmp_path / "web.dockercontext")
    context("export", "web", file)
    with tarfile.open(file) as opened:
        assert [(entry.name, entry.mode) for entry in opened] == [
            ("meta.json", 0o644),
            ("tls", 0o700),
            ("tls/docker", 0o700),
            ("tls/docker/ca.pem", 0o600),
        ]
    with pytest.raises(InvalidArgument, match="file exists"):
        context("export", "web", file)
    context("import", "there", file)
    assert Store(folder).get("there").description == "d"
    assert Store(folder).tls_files("there")["ca.pem"].read_text() == PEM
    context("update", "there", "--docker", "host=ssh://x")
    assert (Store(folder).get("there").endpoint.host, Store(folder).tls_files("there")) == ("ssh://x", {})


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "tls/docker/../../x", "tls/docker/other.pem", "tls/kubernetes/ca.pem"])
def test_an_archive_writes_nothing_else(folder: Path, name: str) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as out:
        for entry, content in (("meta.json", b'{"Name":"x","Endpoints":{}}'), (name, b"x")):
            member = tarfile.TarInfo(entry)
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))
    data.seek(0)
    with pytest.raises(InvalidArgument, match="is in it"):
        archive.read("xx", data)


@pytest.mark.parametrize("text", ["", "[]", '{"Name":1}', '{"Metadata":{}}', '{"Name":"x","Endpoints":[1]}', "\xff", "[" * 3000])
def test_a_damaged_context_is_told_by_name(context: Callable[..., str], folder: Path, text: str) -> None:
    context("create", "web", "--docker", "host=unix:///x")
    (folder / f"contexts/meta/{WEB}/meta.json").write_text(text)
    with pytest.raises(InvalidArgument, match="does not describe a context"):
        choice.choose(Store(folder), "web")
    assert context("ls", "-q") == "default\n"
    context("rm", "web")


def test_what_names_the_engine(context: Callable[..., str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(**options: str) -> str:
        use(GlobalOptions(**options))
        return session.current().host

    contexts = Store(folder)
    for name in ("one", "two"):
        context("create", name, "--docker", f"host=unix:///{name}")
    assert chosen() == ""
    contexts.use("one")
    assert chosen() == "unix:///one"
    assert chosen(context="default") == ""
    monkeypatch.setenv("DOCKER_CONTEXT", "two")
    assert chosen() == "unix:///two"
    assert chosen(host="unix:///three") == "unix:///three"
    monkeypatch.setenv("DOCKER_HOST", "unix:///four")
    assert chosen(host="unix:///four") == "unix:///four"
    assert chosen(host="unix:///four", context="one") == "unix:///one"
    with pytest.raises(InvalidArgument, match="cannot specify both --host and --context"):
        use(GlobalOptions(host="unix:///three", context="one"))
    monkeypatch.delenv("DOCKER_CONTEXT")
    contexts.remove("one")
    with pytest.raises(NotFound, match='current context "one" is not found on the file system'):
        chosen()


def test_an_engine_through_ssh(box: Cli, folder: Path, tmp_path: Path) -> None:
    """No daemon runs there: `system dial-stdio` answers by an engine of its own."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("ssh", SSH), ("moby", f'#!/bin/sh\nexec {sys.executable} -m moby_tui "$@"\n')):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    path = {"PATH": f"{programs}:{os.environ['PATH']}", "DOCKER_CONFIG": str(folder)}
    done = box(
        "-H", "ssh://me@there:2222", "run", "--rm", "-i", "--network", "none", "box", "wc", "-c", input="x" * 200_000, env=path
    )
    assert done.stdout.strip() == "200000"
    assert box("--host", "ssh://there", "ps", "-aq", env=path).stdout == ""
    assert (programs / "ssh.log").read_text().startswith("-o ConnectTimeout=30 -T -l me -p 2222 -- there sh -c ")
    box("context", "create", "far", "--docker", "host=ssh://there", env=path)
    assert "box" in box("-c", "far", "images", env=path).stdout
    lost = box("-H", "ssh://nowhere", "ps", check=False, env=path)
    assert (lost.returncode, lost.stderr) == (1, "moby: ssh: Could not resolve hostname nowhere\n")
