"""The build cache as it is kept on disk: one file for each step, ``cache/build/<key>`` below the data root.

``resources/builder/wire.py`` converts to and from the image between two steps. A file that cannot be read is deleted: the step is executed
again.
"""

# no annotations from __future__: msgspec would have each one compiled and evaluated when a build begins
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from msgspec import MsgspecError, Struct, field, json

from moby_tui.engine.store.records.images import ImageConfig


class Platform(Struct, kw_only=True, omit_defaults=True):
    """The machine that a layer is for, if its descriptor says so."""

    architecture: str
    os: str
    os_version: str = field(default="", name="os.version")
    os_features: list[str] = field(default_factory=list, name="os.features")
    variant: str = ""


class Blob(Struct, rename="camel", kw_only=True, omit_defaults=True):
    """A packed layer in the content store. ``size`` in bytes; ``digest`` as ``sha256:<64 hex>``."""

    media_type: str
    digest: str
    size: int
    urls: list[str] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)
    platform: Platform | None = None
    artifact_type: str = ""


class StepRecord(Struct, kw_only=True, omit_defaults=True):
    """The image after a step. ``id`` is the digest of its configuration; ``blobs`` are its layers, the lowest first.

    ``chain`` is the digest of the step's base, instructions and files.
    """

    version: Literal[1] = 1
    id: str
    config: ImageConfig
    blobs: list[Blob]
    chain: str = ""
    #: made by a build of the classic wire: the step is forgotten with the last image that was built on it, as at dockerd
    classic: bool = False


_decoder = json.Decoder(StepRecord)


def read(data: bytes) -> StepRecord:
    """The record in a file's bytes. Raises ``msgspec.MsgspecError`` for what is none, and for one of a later version."""
    return _decoder.decode(data)


def classic(folder: Path) -> Iterator[tuple[Path, StepRecord]]:
    """The files of the steps that builds of the classic wire have made. Blocking."""
    with suppress(FileNotFoundError):
        for file in folder.iterdir():
            with suppress(OSError, MsgspecError):
                data = file.read_bytes()
                # few steps are: the others need not be read in full
                if b'"classic":true' in data and (step := read(data)).classic:
                    yield file, step
