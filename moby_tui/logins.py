"""Who we are to a registry: what ``docker login`` and ``moby login`` keep in ``config.json``, or give to a credential helper.

The file is Docker's (docs.docker.com, "docker login", "Credential stores"); a helper is a program ``docker-credential-NAME`` that is
told ``get``, ``store`` or ``erase`` and speaks JSON (github.com/docker/docker-credential-helpers).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from pathlib import Path
from typing import Any

from moby_tui import docker_folder
from moby_tui.docker_folder import read_configuration, write_configuration
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema.image import RegistryAuth

DEFAULT_DOMAIN = "docker.io"
_HUB_KEY = "https://index.docker.io/v1/"
_HUB_NAMES = (DEFAULT_DOMAIN, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")
#: A helper that asks the person at the screen takes its time.
_HELPER_SECONDS = 60
_HELPER_NAME = re.compile(r"[A-Za-z0-9._-]+")
#: What a helper calls the user of an identity token.
_TOKEN = "<token>"
Json = dict[str, Any]


def domain_of(server: str) -> str:
    """``https://reg.example:5000/v2/`` and ``reg.example:5000`` are the same; nothing is Docker Hub."""
    host = server.strip().partition("://")[2] or server.strip()
    host = host.partition("/")[0]
    return DEFAULT_DOMAIN if not host or host in _HUB_NAMES else host


def config_file(folder: str | Path | None = None) -> Path:
    """``config.json`` in ``folder``, by default in ``$DOCKER_CONFIG`` or ``~/.docker``."""
    return docker_folder.find(folder) / "config.json"


def find(domain: str, folder: str | Path | None = None) -> RegistryAuth | None:
    """The stored login of a registry, or None; ``folder`` as in ``config_file``. Raises ``MobyError`` if file or helper cannot be
    understood."""
    file = config_file(folder)
    configuration = read_configuration(file)
    helper = _helper_of(file, configuration, domain)
    if helper:
        return _ask_helper(file, helper, _key(domain))
    auths = configuration.get("auths")
    for key in _keys(domain):
        if isinstance(auths, dict) and isinstance(auths.get(key), dict):
            known = {name: value for name, value in auths[key].items() if name in RegistryAuth.__struct_fields__}
            return decoded(RegistryAuth(**{name: str(value) for name, value in known.items()}))
    return None


def known(folder: str | Path | None = None) -> dict[str, RegistryAuth]:
    """Every login of the file, by registry; those that only a helper knows are not among them. Raises ``MobyError``."""
    auths = read_configuration(config_file(folder)).get("auths")
    domains = {domain_of(key) for key in auths} if isinstance(auths, dict) else set()
    return {domain: auth for domain in domains if (auth := find(domain, folder)) is not None}


def store(domain: str, auth: RegistryAuth, folder: str | Path | None = None) -> str:
    """Keeps a login; returns where, if that is the file, in which anybody who may read it can. Raises ``MobyError``."""
    file = config_file(folder)
    configuration = read_configuration(file)
    user, secret = (_TOKEN, auth.identitytoken) if auth.identitytoken else (auth.username, auth.password)
    auths = configuration.setdefault("auths", {})
    helper = _helper_of(file, configuration, domain)
    if helper:
        _run_helper(file, helper, "store", json.dumps({"ServerURL": _key(domain), "Username": user, "Secret": secret}))
        auths[_key(domain)] = {}
    else:
        # podman and skopeo see no token if there is no user beside it
        password, token = ("", {"identitytoken": auth.identitytoken}) if auth.identitytoken else (auth.password, {})
        auths[_key(domain)] = {"auth": base64.b64encode(f"{auth.username}:{password}".encode()).decode()} | token
    write_configuration(file, configuration)
    return "" if helper else str(file)


def erase(domain: str, folder: str | Path | None = None) -> bool:
    """Forgets a login; False if there was none. Raises ``MobyError``."""
    file = config_file(folder)
    configuration = read_configuration(file)
    auths = configuration.get("auths") or {}
    keys = [key for key in _keys(domain) if key in auths]
    helper = _helper_of(file, configuration, domain)
    if helper:
        known = _ask_helper(file, helper, _key(domain))
        if known is not None:
            _run_helper(file, helper, "erase", _key(domain))
            keys.append("")
    for key in keys:
        auths.pop(key, None)
    if keys:
        write_configuration(file, configuration)
    return bool(keys)


def _key(domain: str) -> str:
    return _HUB_KEY if domain == DEFAULT_DOMAIN else domain


def _keys(domain: str) -> tuple[str, ...]:
    if domain == DEFAULT_DOMAIN:
        return (_HUB_KEY, "index.docker.io", DEFAULT_DOMAIN, "registry-1.docker.io")
    addresses = (f"{scheme}://{domain}{rest}" for scheme in ("https", "http") for rest in ("", "/", "/v1/", "/v2/"))
    return (domain, *addresses)


def decoded(auth: RegistryAuth) -> RegistryAuth | None:
    """With ``auth`` (base64 of ``user:password``) taken apart; None for what holds no credential at all. Raises ``InvalidArgument``."""
    username, password = auth.username, auth.password
    if auth.auth and not (username and password):
        try:
            username, _, password = base64.b64decode(auth.auth, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise InvalidArgument("the login is not base64 of user:password; log in again") from error
    password = password.rstrip("\0")
    if not (password or auth.identitytoken or auth.registrytoken):
        return None
    return RegistryAuth(username=username, password=password, identitytoken=auth.identitytoken, registrytoken=auth.registrytoken)


# Credential helpers


def _helper_of(file: Path, configuration: Json, domain: str) -> str:
    """The helper of this registry, else the one for all; empty for none. Raises ``MobyError``."""
    own = configuration.get("credHelpers")
    names = [own.get(key) for key in _keys(domain)] if isinstance(own, dict) else []
    name = str(next(filter(None, names), None) or configuration.get("credsStore") or "")
    if name and not _HELPER_NAME.fullmatch(name):
        raise MobyError(f"{file} names the credential helper {name!r}, which is no name; repair it")
    return name


def _ask_helper(file: Path, name: str, server: str) -> RegistryAuth | None:
    answer = _run_helper(file, name, "get", server)
    if answer is None:
        return None
    try:
        login = json.loads(answer)
        user, secret = str(login["Username"]), str(login["Secret"])
    except (ValueError, LookupError, TypeError) as error:
        raise MobyError(f"credential helper docker-credential-{name} gives no answer that can be read") from error
    return decoded(RegistryAuth(identitytoken=secret) if user == _TOKEN else RegistryAuth(username=user, password=secret))


def _run_helper(file: Path, name: str, action: str, text: str) -> str | None:
    """The answer of the helper that ``file`` names; None if it knows no login. Raises ``MobyError``."""
    import subprocess

    program = f"docker-credential-{name}"
    # a helper may have a file of its own beside ours
    environment = os.environ | {"DOCKER_CONFIG": str(file.parent)}
    try:
        done = subprocess.run(
            [program, action], input=text, capture_output=True, text=True, timeout=_HELPER_SECONDS, env=environment
        )
    except FileNotFoundError:
        raise MobyError(f"{file} names the credential helper {program}, which is not installed") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MobyError(f"credential helper {program} {action} failed: {error}") from error
    if done.returncode == 0:
        return done.stdout
    output = (done.stdout + done.stderr).strip()
    if action == "get" and "not found" in output.lower():
        return None
    raise MobyError(f"credential helper {program} {action} failed: {output[:300] or f'exit status {done.returncode}'}")
