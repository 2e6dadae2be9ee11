"""``--secret`` of ``run`` and ``create``, as podman has it; and where a new secret is read from."""

from __future__ import annotations

import sys

from moby_tui.cli.values import comma
from moby_tui.errors import InvalidArgument, NotImplementedYet
from moby_tui.schema.container import SecretReference

#: As Docker's. One byte more is read, so that the engine can tell.
_MOST_BYTES = 500 * 1024


def reference(spec: str) -> SecretReference:
    """``NAME[,target=...][,uid=...][,gid=...][,mode=...]``, or with ``source=NAME``. Raises ``InvalidArgument``, ``NotImplementedYet``."""
    secret = SecretReference()
    for index, (key, equals, value) in enumerate(comma.fields("--secret", spec)):
        match key:
            case "source" | "src" if equals:
                secret.source = value
            case "type" if value == "env":
                raise NotImplementedYet("option --secret type=env (an environment is shown by inspect; use type=mount)")
            case "type" if value == "mount":
                pass
            case "target" | "dst" | "destination" if value:
                secret.target = value
            case "uid":
                secret.uid = _number(spec, key, value)
            case "gid":
                secret.gid = _number(spec, key, value)
            case "mode":
                secret.mode = _number(spec, key, value, base=8)
            case _ if not equals and index == 0:
                # the key is in lower case
                secret.source = spec.split(",")[0].strip()
            case _:
                raise InvalidArgument(
                    f"invalid --secret {spec[:200]!r}: write it as NAME[,target=NAME|PATH][,uid=UID][,gid=GID][,mode=MODE]"
                )
    if not secret.source:
        raise InvalidArgument(f"invalid --secret {spec[:200]!r}: name the secret: NAME or source=NAME")
    return secret


def _number(spec: str, key: str, value: str, base: int = 10) -> int:
    if not value.isascii() or not value.isdecimal() or len(value) > 10 or (base == 8 and set(value) & {"8", "9"}):
        kind = "an octal number, as in 0440" if base == 8 else "a number"
        raise InvalidArgument(f"invalid --secret {spec[:200]!r}: {key} is {kind}")
    return int(value, base)


def read(source: str) -> bytes:
    """The content of a file, or of standard input for ``-``; at most a byte more than a secret can have. Raises ``InvalidArgument``."""
    try:
        if source == "-":
            return sys.stdin.buffer.read(_MOST_BYTES + 1)
        with open(source, "rb") as file:
            return file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InvalidArgument(f"cannot read the secret from {source}: {(error.strerror or '').lower()}") from error
