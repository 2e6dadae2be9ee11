"""Checks what is asked for: a new secret, and a container's references to secrets."""

from __future__ import annotations

import posixpath
import re
from itertools import pairwise

from moby_tui.engine.protocol.order import SECRETS_FOLDER, secret_mount
from moby_tui.engine.store.records.containers import SecretReference
from moby_tui.errors import InvalidArgument
from moby_tui.schema.base import Filters
from moby_tui.schema.secret import Secret, SecretCreate

#: As Docker's swarm has it.
_NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9_.-]{0,62}[a-zA-Z0-9])?", re.ASCII)
_MOST_BYTES = 500 * 1024
#: Of one container: each is a descriptor that travels to its monitor, and a message carries 253 (unix(7)).
_MOST_SECRETS = 100
_MOST_ID = (1 << 32) - 2


def check_new(asked: SecretCreate) -> None:
    """Raises ``InvalidArgument`` for a name, a label or a size that cannot be; no text of it has the payload."""
    if not _NAME.fullmatch(asked.name):
        raise InvalidArgument(
            f"invalid secret name {asked.name[:80]!r}: use at most 64 of the characters a-z, A-Z, 0-9, '-', '_' and '.', "
            "with a letter or digit at both ends"
        )
    if any(not key for key in asked.labels or {}):
        raise InvalidArgument(f"secret {asked.name}: a label needs a name: write key=value")
    if not 0 < len(asked.data) <= _MOST_BYTES:
        raise InvalidArgument(
            f"secret {asked.name} holds {len(asked.data)} bytes: it must be larger than 0 and at most {_MOST_BYTES}"
        )


def matching(secrets: list[Secret], filters: Filters | None) -> list[Secret]:
    """The secrets that match Docker's filters: the name begins with one of ``name``, the id with one of ``id``, and each ``label`` is there.

    Raises ``InvalidArgument`` for another filter.
    """
    wanted = {key: values for key, values in (filters or {}).items() if values}
    if unknown := wanted.keys() - {"id", "label", "name"}:
        raise InvalidArgument(f"invalid filter '{min(unknown)}'")
    return [
        secret
        for secret in secrets
        if ("name" not in wanted or secret.spec.name.startswith(tuple(wanted["name"])))
        and ("id" not in wanted or secret.id.startswith(tuple(wanted["id"])))
        and all(_has_label(secret, label) for label in wanted.get("label", ()))
    ]


def _has_label(secret: Secret, label: str) -> bool:
    key, equals, value = label.partition("=")
    labels = secret.spec.labels or {}
    return key in labels and (not equals or labels[key] == value)


def settled(reference: SecretReference, secret: Secret) -> SecretReference:
    """The reference with the id, and with an absolute target: a relative one lies in /run/secrets. Raises ``InvalidArgument``."""
    name = secret.spec.name
    target = reference.target or name
    if "\0" in target or ".." in target.split("/"):
        raise InvalidArgument(
            f"secret {name}: invalid target {target[:200]!r}: give a file name, or an absolute path without '..'"
        )
    target = "/" + posixpath.normpath(posixpath.join(SECRETS_FOLDER, target)).strip("/")
    if target in ("/", SECRETS_FOLDER) or target.split("/")[1] in ("proc", "sys"):
        raise InvalidArgument(f"secret {name}: invalid target {target[:200]!r}: no file can be there")
    for what, ident in (("uid", reference.uid), ("gid", reference.gid)):
        if not 0 <= ident <= _MOST_ID:
            raise InvalidArgument(f"secret {name}: invalid {what} {ident}: give a number from 0 to {_MOST_ID}")
    if not 0 <= reference.mode <= 0o777:
        raise InvalidArgument(f"secret {name}: invalid mode {reference.mode:o}: give octal digits up to 0777")
    return SecretReference(source=name, id=secret.id, target=target, uid=reference.uid, gid=reference.gid, mode=reference.mode)


def check_together(references: list[SecretReference], mounted: set[str]) -> None:
    """Whether a container's secrets have places of their own beside what else is ``mounted``. Raises ``InvalidArgument``."""
    if len(references) > _MOST_SECRETS:
        raise InvalidArgument(f"{len(references)} secrets are too many: a container can have {_MOST_SECRETS}")
    targets = sorted(reference.target for reference in references)
    for first, second in pairwise(targets):
        if first == second:
            raise InvalidArgument(f"two secrets are to be at {first}: give one of them another target")
    for target in targets:
        if any(other.startswith(f"{target}/") for other in (*targets, *mounted)):
            raise InvalidArgument(f"a secret is to be at {target}, where another mount needs a folder: give it another target")
        place = secret_mount(target)
        if any(other == place or (place == SECRETS_FOLDER and other.startswith(f"{place}/")) for other in mounted):
            raise InvalidArgument(
                f"the secret at {target} and another mount are to be at {place}: give one of them another target"
            )
