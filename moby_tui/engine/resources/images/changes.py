"""``--change``: Dockerfile instructions that alter an image's configuration on import and commit, read as those of a Dockerfile."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from moby_tui.engine.resources.dockerfile import arguments, parser, shell_words
from moby_tui.engine.resources.dockerfile.parser import Instruction
from moby_tui.schema.oci import ExecutionConfig

_SHELL = ["/bin/sh", "-c"]


def apply_changes(config: ExecutionConfig, changes: Sequence[str]) -> None:
    """Applies instructions that alter only the configuration (CMD, ENV and so on, as Docker) to ``config``. Raises ``InvalidArgument``.

    Variables are those of the configuration, as the instructions before have left them.
    """
    if not changes:
        return
    instructions, escape = parser.parse_changes(changes)
    has_command = False
    for instruction in instructions:
        has_command = has_command or instruction.name == "CMD"
        if instruction.name == "ENTRYPOINT" and not has_command:
            # as in a Dockerfile: the arguments before were for the entrypoint before
            config.cmd = None
        _apply(config, instruction, escape)


def _apply(config: ExecutionConfig, instruction: Instruction, escape: str) -> None:
    known = {entry.partition("=")[0]: entry.partition("=")[2] for entry in config.env or ()}
    value = instruction.value

    def expand(text: str) -> str:
        return shell_words.expand(text, known, escape)

    match instruction.name:
        case "CMD":
            config.cmd = arguments.command(value, config.shell or _SHELL) if value else []
        case "ENTRYPOINT":
            config.entrypoint = arguments.command(value, config.shell or _SHELL) if value else []
        case "ENV":
            new = {expand(key): expand(text) for key, text in arguments.pairs("ENV", value, escape)}
            config.env = [f"{key}={text}" for key, text in (known | new).items()]
        case "HEALTHCHECK":
            config.healthcheck = arguments.health(value, {name: expand(text) for name, text in instruction.flags.items()})
        case "LABEL":
            new = {expand(key): expand(text) for key, text in arguments.pairs("LABEL", value, escape)}
            config.labels = {**(config.labels or {}), **new}
        case "EXPOSE":
            ports = arguments.ports(shell_words.split(value, known, escape))
            config.exposed_ports = {**(config.exposed_ports or {}), **{port: {} for port in ports}}
        case "VOLUME":
            config.volumes = {**(config.volumes or {}), **{path: {} for path in _volumes(value, known, escape)}}
        case "USER":
            config.user = expand(value)
        case "WORKDIR":
            config.working_dir = "/" + posixpath.normpath(posixpath.join("/", config.working_dir, expand(value))).lstrip("/")
        case "STOPSIGNAL":
            config.stop_signal = expand(value)
            arguments.check_signal(config.stop_signal)
        case _:
            parser.parse_trigger(instruction.line, value, escape)
            config.on_build = [*(config.on_build or []), value]


def _volumes(value: str, known: dict[str, str], escape: str) -> list[str]:
    paths = [shell_words.expand(item, known, escape).strip() for item in arguments.volumes(value)]
    for path in paths:
        arguments.check_volume(path)
    return paths
