"""The engines and registries of a stage."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench.stage import Stage
from peers.engines import Docker, Engine, Moby, Podman, Umoci, extract, tree
from trees import Entry

_PROGRAM = Path(__file__).parent / "registries.py"
_TESTS = Path(__file__).parents[1]
_numbers = count()


@dataclass
class World:
    stage: Stage
    moby: Moby
    podman: Podman
    docker: Docker
    umoci: Umoci
    #: the domain of a registry with TLS of a private authority and a login, which everybody has
    registry: str

    @property
    def engines(self) -> list[Engine]:
        return [self.moby, self.podman, self.docker]

    def serve(self, kind: str, *arguments: str, folder: Path | None = None) -> str:
        """Starts a registry; its address."""
        folder = folder or self.stage.folder / f"registry-{next(_numbers)}"
        return serve(self.stage, folder, kind, *arguments)

    def tar(self, archive: Path) -> dict[str, Entry]:
        """What GNU tar makes of an archive."""
        root = self.stage.folder / f"tar-{next(_numbers)}"
        extract(self.stage, archive, root)
        return tree(self.stage, root)

    def new(self, name: str) -> str:
        """A reference that nobody has used."""
        return f"{self.registry}/{name}-{next(_numbers)}:1"


def serve(stage: Stage, folder: Path, kind: str, *arguments: str) -> str:
    """Starts a registry (``registries``); its address."""
    stage.start([sys.executable, str(_PROGRAM), kind, str(folder), *arguments], {"PYTHONPATH": str(_TESTS)})
    told = folder.with_suffix(".address")
    for _ in range(300):
        if told.exists():
            return told.read_text()
        time.sleep(0.1)
    raise RuntimeError(
        f"the registry did not start: {(stage.folder / Path(sys.executable).name).with_suffix('.log').read_text()}"
    )
