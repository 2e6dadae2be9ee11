"""Who we are to a registry: what the caller gave, or what ``docker login`` left in ``config.json``."""

from __future__ import annotations

import base64
import binascii
import json
import os
from pathlib import Path

from moby_tui.engine.resources.images.reference import DEFAULT_DOMAIN
from moby_tui.errors import MobyError
from moby_tui.schema.image import RegistryAuth

_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", DEFAULT_DOMAIN, "registry-1.docker.io")


def config_file() -> Path:
    """``$DOCKER_CONFIG/config.json``, by default in ``~/.docker``."""
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path("~/.docker").expanduser()) / "config.json"


def find(domain: str) -> RegistryAuth | None:
    """The stored login of a registry, or None. Raises ``MobyError`` where the file cannot be understood."""
    file = config_file()
    try:
        auths = json.loads(file.read_text()).get("auths") or {}
    except (FileNotFoundError, PermissionError, RuntimeError):
        return None
    except (ValueError, AttributeError) as error:
        raise MobyError(f"{file} is not readable as JSON ({error}); repair or remove it") from error
    for key in _keys(domain):
        if isinstance(auths.get(key), dict):
            known = {name: value for name, value in auths[key].items() if name in RegistryAuth.__struct_fields__}
            return decoded(RegistryAuth(**{name: str(value) for name, value in known.items()}))
    return None


def _keys(domain: str) -> tuple[str, ...]:
    if domain == DEFAULT_DOMAIN:
        return _HUB_KEYS
    return (
        domain,
        f"https://{domain}",
        f"http://{domain}",
        f"https://{domain}/",
        f"https://{domain}/v1/",
        f"https://{domain}/v2/",
    )


def decoded(auth: RegistryAuth) -> RegistryAuth | None:
    """With ``auth`` (base64 of ``user:password``) taken apart; None for what holds no credential at all."""
    username, password = auth.username, auth.password
    if auth.auth and not (username and password):
        try:
            username, _, password = base64.b64decode(auth.auth).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise MobyError("the stored login is not base64 of user:password; log in again") from error
    password = password.rstrip("\0")
    if not (password or auth.identitytoken or auth.registrytoken):
        return None
    return RegistryAuth(username=username, password=password, identitytoken=auth.identitytoken, registrytoken=auth.registrytoken)
