"""The keys that leave a container running: ``ctrl-p,ctrl-q``, or what ``--detach-keys`` says."""

from __future__ import annotations

import json
import os

from moby_tui.cli import session
from moby_tui.detach_keys import DEFAULT, DetachKeys, parse
from moby_tui.errors import InvalidArgument


class WrongKeys(InvalidArgument):
    """The keys cannot be read."""


def configured_keys(option: str) -> str:
    """The option's keys, else the user's own (``detachKeys`` in Docker's ``config.json``), else Docker's default."""
    if option:
        return option
    folder = session.current().login_folder or os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    try:
        with open(f"{folder}/config.json", "rb") as file:
            keys = json.load(file).get("detachKeys", "")
    except (OSError, ValueError, AttributeError):
        return DEFAULT
    return keys if isinstance(keys, str) and keys else DEFAULT


def detach_keys(text: str, refusal: str = "") -> DetachKeys:
    """What looks for the keys in input. Raises ``InvalidArgument``, under the name docker with ``refusal``."""
    try:
        return DetachKeys(parse(text))
    except ValueError as error:
        raise WrongKeys(session.phrase(str(error), refusal or str(error))) from None
