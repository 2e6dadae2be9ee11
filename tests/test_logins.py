"""Logins as docker keeps them: in a file, or with a credential helper."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from moby_tui import logins
from moby_tui.errors import MobyError
from moby_tui.schema.image import RegistryAuth
from servers.registry import HTPASSWD, running

HELPER = """#!/usr/bin/env python3
import json, pathlib, sys
kept = pathlib.Path(__file__).with_name("kept")
known = json.loads(kept.read_text()) if kept.exists() else {}
said = sys.stdin.read()
if sys.argv[1] == "store":
    known[json.loads(said)["ServerURL"]] = json.loads(said)
elif sys.argv[1] == "erase":
    known.pop(said)
elif said not in known:
    print("credentials not found in native keychain")
    sys.exit(1)
else:
    print(json.dumps(known[said]))
kept.write_text(json.dumps(known))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return tmp_path / "docker"


@pytest.mark.parametrize(
    ("server", "domain"),
    [
        ("", "docker.io"),
        ("docker.io", "docker.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("reg.test:5000", "reg.test:5000"),
        ("https://reg.test:5000/v2/", "reg.test:5000"),
        ("http://reg.test", "reg.test"),
    ],
)
def test_servers(server: str, domain: str) -> None:
    assert logins.domain_of(server) == domain


@pytest.mark.parametrize("domain", ["docker.io", "reg.test:5000"])
def test_kept_found_and_forgotten_and_the_rest_of_the_file_stays(folder: Path, domain: str) -> None:
    folder.mkdir()
    (folder / "config.json").write_text('{"psFormat": "x", "auths": {"other.test": {"auth": "YTpi"}}}')
    assert logins.find(domain) is None and not logins.erase(domain)
    assert logins.store(domain, RegistryAuth(username="me", password="p:w")) == str(folder / "config.json")
    found = logins.find(domain)
    assert found is not None and (found.username, found.password) == ("me", "p:w")
    assert (folder / "config.json").stat().st_mode & 0o777 == 0o600
    document = json.loads((folder / "config.json").read_text())
    assert document["psFormat"] == "x" and "other.test" in document["auths"]
    assert logins.erase(domain) and logins.find(domain) is None
    logins.store(domain, RegistryAuth(username="me", identitytoken="token"))
    found = logins.find(domain)
    assert found is not None and found.identitytoken == "token"


@pytest.mark.parametrize("setting", [{"credsStore": "kept"}, {"credHelpers": {"reg.test": "kept"}}])
def test_a_helper_keeps_it(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: dict[str, object]) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "docker-credential-kept"
    program.write_text(HELPER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(setting))
    assert logins.find("reg.test") is None and not logins.erase("reg.test")
    assert logins.store("reg.test", RegistryAuth(username="me", password="secret")) == ""
    assert "secret" not in (folder / "config.json").read_text() and "c2VjcmV0" not in (folder / "config.json").read_text()
    found = logins.find("reg.test")
    assert found is not None and (found.username, found.password) == ("me", "secret")
    logins.store("reg.test", RegistryAuth(username="me", identitytoken="token"))
    found = logins.find("reg.test")
    assert found is not None and found.identitytoken == "token"
    assert logins.erase("reg.test") and logins.find("reg.test") is None
    program.write_text("#!/bin/sh\necho the safe is locked; exit 2\n")
    with pytest.raises(MobyError, match="docker-credential-kept get failed: the safe is locked"):
        logins.find("reg.test")
    program.write_text("#!/bin/sh\necho nonsense\n")
    with pytest.raises(MobyError, match="no answer that can be read"):
        logins.find("reg.test")
    program.unlink()
    with pytest.raises(MobyError, match="not installed"):
        logins.find("reg.test")


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": 3}', '{"credsStore": "../x"}', '{"auths": {"reg.test": {"auth": "%"}}}'])
def test_a_file_that_cannot_be_understood_is_named(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "config.json").write_text(text)
    with pytest.raises(MobyError, match=r"repair|log in again"):
        logins.find("reg.test")


def test_at_the_command_line(cli: Callable[..., subprocess.CompletedProcess[str]], folder: Path, tmp_path: Path) -> None:
    with running(tmp_path / "registry", htpasswd=HTPASSWD) as guarded:
        wrong = cli("login", "-u", "user", "--password-stdin", guarded.address, input="wrong\n", check=False)
        assert wrong.returncode == 1 and "login attempt to" in wrong.stderr and "401" in wrong.stderr
        assert not (folder / "config.json").exists()
        done = cli("login", "-u", "user", "--password-stdin", guarded.address, input="secret\n")
        assert done.stdout == "Login Succeeded\n" and "stored unencrypted" in done.stderr
        cli("pull", "-q", "moby/hello")
        cli("tag", "moby/hello", f"{guarded.address}/hello")
        assert "digest: sha256:" in cli("push", f"{guarded.address}/hello").stdout
        assert cli("push", "-q", f"{guarded.address}/hello").stdout == f"{guarded.address}/hello\n"
        assert cli("logout", guarded.address).stdout == f"Removing login credentials for {guarded.address}\n"
        assert cli("logout", guarded.address).stdout == f"Removing login credentials for {guarded.address}\n"
        refused = cli("push", f"{guarded.address}/hello", check=False)
        assert refused.returncode == 1 and "no basic auth credentials" in refused.stderr
        nobody = cli("login", guarded.address, input="", check=False)
        assert nobody.returncode == 1 and "Cannot perform an interactive login from a non TTY device" in nobody.stderr
