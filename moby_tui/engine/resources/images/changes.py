"""``--change``: Dockerfile instructions that alter an image's configuration on import (and commit)."""

from __future__ import annotations

import json
import re
import shlex

from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import HealthConfig
from moby_tui.schema.oci import ExecutionConfig

_PORT = re.compile(r"\d{1,5}(-\d{1,5})?(/(tcp|udp|sctp))?")


def apply_changes(config: ExecutionConfig, changes: list[str]) -> None:
    """Applies instructions that alter only the configuration (CMD, ENV and so on, as Docker) to ``config``. Raises ``InvalidArgument``."""
    for change in changes:
        instruction, _, value = change.strip().partition(" ")
        _apply(config, instruction.upper(), value.strip())


def _apply(config: ExecutionConfig, instruction: str, value: str) -> None:
    if not value:
        raise InvalidArgument(f"change {instruction!r} needs a value")
    match instruction:
        case "CMD":
            config.cmd = _command(value)
        case "ENTRYPOINT":
            config.entrypoint = _command(value)
        case "ENV":
            new = _pairs(instruction, value)
            kept = [item for item in config.env or [] if item.partition("=")[0] not in new]
            config.env = kept + [f"{key}={text}" for key, text in new.items()]
        case "HEALTHCHECK":
            config.healthcheck = _health(value)
        case "LABEL":
            config.labels = {**(config.labels or {}), **_pairs(instruction, value)}
        case "EXPOSE":
            config.exposed_ports = {**(config.exposed_ports or {}), **{_port(port): {} for port in value.split()}}
        case "VOLUME":
            volumes = _json_list(value) or value.split()
            config.volumes = {**(config.volumes or {}), **{volume: {} for volume in volumes}}
        case "USER":
            config.user = value
        case "WORKDIR":
            base = "" if value.startswith("/") else config.working_dir.rstrip("/") + "/"
            config.working_dir = base + value
        case "STOPSIGNAL":
            config.stop_signal = value
        case "ONBUILD":
            config.on_build = [*(config.on_build or []), value]
        case _:
            raise InvalidArgument(f"{instruction[:40]} is not a valid change command")


def _health(value: str) -> HealthConfig:
    """The health check of ``--change 'HEALTHCHECK …'``, with its flags. The parser is imported here, since few changes need it."""
    from moby_tui.engine.resources.dockerfile import arguments
    from moby_tui.engine.resources.dockerfile.parser import parse_trigger

    instruction = parse_trigger(1, f"HEALTHCHECK {value}")
    return arguments.health(instruction.value, instruction.flags)


def _command(value: str) -> list[str]:
    """A JSON list is the command itself; any other text is run by a shell."""
    listed = _json_list(value)
    return ["/bin/sh", "-c", value] if listed is None else listed


def _json_list(value: str) -> list[str] | None:
    if not value.startswith("["):
        return None
    try:
        listed = json.loads(value)
    except ValueError:
        return None
    return listed if isinstance(listed, list) and all(isinstance(item, str) for item in listed) else None


def _pairs(instruction: str, value: str) -> dict[str, str]:
    """``a=1 b="2 3"``, or the older ``a 1``."""
    first, _, rest = value.partition(" ")
    if "=" not in first:
        if not rest:
            raise InvalidArgument(f"{instruction} must have two arguments: write {instruction} name=value")
        return {first: rest.strip()}
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise InvalidArgument(f"{instruction} {value[:80]!r}: {error}") from error
    if not all(word.partition("=")[1] and not word.startswith("=") for word in words):
        raise InvalidArgument(f"{instruction} {value[:80]!r} is not name=value")
    return {word.partition("=")[0]: word.partition("=")[2] for word in words}


def _port(text: str) -> str:
    if not _PORT.fullmatch(text):
        raise InvalidArgument(f"invalid port {text[:40]!r}; write it as 80 or 80/udp")
    return text if "/" in text else f"{text}/tcp"
