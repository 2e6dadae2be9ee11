"""What an engine says of a path in a container or a volume, in a header of its answer."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

import msgspec

from moby_tui.api.client import lenient
from moby_tui.errors import MobyError
from moby_tui.schema.container import PathStat


def path_stat(headers: Mapping[str, str]) -> PathStat:
    """What the answer's header says of a path. Raises ``MobyError``."""
    try:
        return lenient.decode_foreign(base64.b64decode(headers["x-docker-container-path-stat"]), PathStat)
    except (KeyError, binascii.Error, msgspec.DecodeError, UnicodeDecodeError, lenient.Misfit) as error:
        raise MobyError(f"the engine did not say what the path is: {error}") from None
