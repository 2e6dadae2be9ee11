"""What the builder asks of the room above: to run a command in an image, and to look a user up in its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from moby_tui.engine.resources.images.manager import LocalImage
from moby_tui.errors import CommandFailed
from moby_tui.schema.container import HostConfig


@dataclass(frozen=True)
class Step:
    """A command to run; user and working directory are those of ``image``. ``environment`` is added to the image's."""

    image: LocalImage
    command: list[str]
    environment: list[str]
    #: what is mounted for this step alone, by destination; the descriptors stay the caller's
    trees: Mapping[str, int] = field(default_factory=dict)
    #: ``default`` (that of ``host``), ``none`` or ``host``
    network: str = "default"
    #: with the rights of a privileged container
    insecure: bool = False
    #: what every step of the build is given
    host: HostConfig = field(default_factory=HostConfig)


@dataclass(frozen=True)
class Ended:
    """A step that has run. ``upper`` is what it wrote, in overlayfs' form; ``mount_points`` in it are the engine's own doing."""

    exit_code: int
    upper: Path
    mount_points: frozenset[bytes]


class StepRunner(Protocol):
    def run(
        self, step: Step, *, began: Callable[[str], None], output: Callable[[int, bytes], None]
    ) -> AbstractAsyncContextManager[Ended]:
        """Runs it to its end; the container goes with the block. ``began`` is told the container's id, ``output`` what it writes."""
        ...

    async def hold(self, step: Step, ended: Ended, began: Callable[[str], None]) -> None:
        """A container of what a failed step has left, with its mounts and environment, until somebody ends it."""
        ...

    def owner(self, root: int, text: str) -> tuple[int, int]:
        """The ids that ``user[:group]`` means in a root file system. Raises ``InvalidArgument``."""
        ...


class StepFailed(CommandFailed):
    """A RUN command ended with another code than 0, which becomes the build's own."""

    def __init__(self, command: list[str], exit_code: int) -> None:
        super().__init__(f"The command '{' '.join(command)}' returned a non-zero code: {exit_code}")
        self.exit_code = exit_code
