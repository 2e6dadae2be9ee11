"""Engines that build, move and run images, asked in the same words: ourselves, podman with buildah, dockerd, and umoci with skopeo."""

from __future__ import annotations

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from bench.peers import moby, podman
from bench.stage import Stage
from trees import Entry

_TREES = Path(__file__).parents[1] / "trees.py"
_numbers = count()


def tree(stage: Stage, root: str | Path) -> dict[str, Entry]:
    """What there is to say of a tree that is seen from the stage."""
    found = json.loads(stage.run([sys.executable, str(_TREES), str(root)]).output)
    return {path: _entry(values) for path, values in found.items()}


def _entry(values: list[object]) -> Entry:
    entry = Entry(*values)  # type: ignore[arg-type]
    attributes = tuple((name, value) for name, value in entry.attributes)
    # An overlay counts names that an upper layer has removed; `first` says which names are one file. Holes are each engine's own affair.
    return entry._replace(attributes=attributes, links=0, sparse=False)


def extract(stage: Stage, archive: Path, root: Path) -> None:
    """With GNU tar, and all that it can keep."""
    root.mkdir(parents=True)
    keep = ("--xattrs", "--xattrs-include=*", "--numeric-owner", "--same-owner", "--delay-directory-restore")
    stage.run(["tar", *keep, "-xpSf", str(archive), "-C", str(root)])


class Engine(ABC):
    """``arguments`` and ``env`` make a command line of the engine's."""

    name: str
    arguments: list[str]
    env: dict[str, str]
    #: how it is told where ``docker login`` and the like have kept who we are
    config: Path

    def __init__(self, stage: Stage, folder: Path, config: Path) -> None:
        self.stage, self.folder = stage, folder
        self.env = {"DOCKER_CONFIG": str(config), "REGISTRY_AUTH_FILE": str(config / "config.json")}

    def ask(self, *arguments: str) -> str:
        return self.stage.run([*self.arguments, *arguments], self.env).output

    def pull(self, reference: str) -> None:
        self.ask("pull", "-q", reference)

    def push(self, reference: str) -> None:
        self.ask("push", "-q", reference)

    def load(self, archive: Path) -> None:
        self.ask("load", "-q", "-i", str(archive))

    def save(self, archive: Path, *references: str) -> None:
        self.ask("save", "-o", str(archive), *references)

    def tag(self, reference: str, name: str) -> None:
        self.ask("tag", reference, name)

    def forget(self, *references: str) -> None:
        self.ask("rmi", "-f", *references)

    def run(self, reference: str, *command: str) -> str:
        return self.ask("run", "--rm", "--network", "none", reference, *command)

    def build(self, context: Path, reference: str) -> None:
        self.ask("build", "-q", "-t", reference, str(context))

    def id(self, reference: str) -> str:
        """The digest of the configuration."""
        return f"sha256:{self._inspect(reference, '{{.Id}}').removeprefix('sha256:')}"

    def digests(self, reference: str) -> list[str]:
        """By which an image is known in its registries."""
        return sorted({name.partition("@")[2] for name in json.loads(self._inspect(reference, "{{json .RepoDigests}}"))})

    def layers(self, reference: str) -> list[str]:
        """Digests of the layers' plain tars."""
        found: list[str] = json.loads(self._inspect(reference, "{{json .RootFS.Layers}}"))
        return found

    def _inspect(self, reference: str, format: str) -> str:
        return self.ask("image", "inspect", "--format", format, reference).strip()

    @abstractmethod
    def tree(self, reference: str) -> dict[str, Entry]:
        """All files of the image, as the engine's containers see them."""


class Moby(Engine):
    name = "moby"

    def __init__(self, stage: Stage, folder: Path, config: Path) -> None:
        super().__init__(stage, folder, config)
        self.env |= {"MOBY_DATA_ROOT": f"{folder}/d", "MOBY_EXEC_ROOT": f"{folder}/r"}
        self.arguments = moby.program()

    def tree(self, reference: str) -> dict[str, Entry]:
        container = self.ask("run", "-d", "--network", "none", reference, "sleep", "1000").strip()
        try:
            pid = self.ask("inspect", "--format", "{{.State.Pid}}", container).strip()
            return tree(self.stage, f"/proc/{pid}/root")
        finally:
            self.ask("rm", "-f", container)

    def exported(self, reference: str) -> dict[str, Entry]:
        """What ``moby export`` tells of an image's container, through GNU tar."""
        archive, root = self.folder / "exported.tar", self.folder / f"exported-{next(_numbers)}"
        container = self.ask("create", reference).strip()
        self.ask("export", "-o", str(archive), container)
        self.ask("rm", container)
        extract(self.stage, archive, root)
        return tree(self.stage, root)


class Podman(Engine):
    name = "podman"

    def __init__(self, stage: Stage, folder: Path, config: Path) -> None:
        super().__init__(stage, folder, config)
        self.arguments = podman.command(folder)

    def run(self, reference: str, *command: str) -> str:
        return self.ask("run", "--rm", "--network", "none", *podman.LIMITS, reference, *command)

    def build(self, context: Path, reference: str) -> None:
        self.ask("build", "-q", "--network", "none", "--cap-add", "MKNOD", *podman.LIMITS, "-t", reference, str(context))

    def tree(self, reference: str) -> dict[str, Entry]:
        place = self.ask("image", "mount", reference).strip()
        try:
            return tree(self.stage, place)
        finally:
            self.ask("image", "unmount", reference)


class Docker(Engine):
    """``env``: how its daemon is reached."""

    name = "docker"

    def __init__(self, stage: Stage, folder: Path, config: Path, env: dict[str, str]) -> None:
        super().__init__(stage, folder, config)
        self.env |= env | {"DOCKER_BUILDKIT": "0"}
        self.arguments = ["docker"]

    def tree(self, reference: str) -> dict[str, Entry]:
        """Through an overlay of the layers that are the image's; a container's has one more, with mount points."""
        driver = json.loads(self._inspect(reference, "{{json .GraphDriver.Data}}"))
        layers = ":".join(driver[key] for key in ("UpperDir", "LowerDir") if key in driver)
        with self._mounted(layers) as root:
            return tree(self.stage, root)

    @contextmanager
    def _mounted(self, layers: str) -> Iterator[Path]:
        # a single layer is no overlay: the second is empty
        root, empty = self.folder / f"merged-{next(_numbers)}", self.folder / f"empty-{next(_numbers)}"
        root.mkdir(parents=True)
        empty.mkdir()
        self.stage.run(["mount", "-t", "overlay", "overlay", "-o", f"ro,lowerdir={layers}:{empty}", str(root)])
        try:
            yield root
        finally:
            self.stage.run(["umount", str(root)])


class Umoci:
    """Layouts on the disk: skopeo moves them, umoci unpacks and makes them."""

    def __init__(self, stage: Stage, folder: Path, config: Path) -> None:
        self.stage, self.folder = stage, folder
        self._env = {"REGISTRY_AUTH_FILE": str(config / "config.json")}
        folder.mkdir(parents=True)

    def skopeo(self, *arguments: str) -> str:
        return self.stage.run(["skopeo", *arguments], self._env).output

    def copy(self, source: str, target: str, *options: str) -> None:
        self.skopeo("copy", "-q", *options, source, target)

    def raw(self, place: str, *options: str) -> bytes:
        """The manifest, to the byte."""
        self.skopeo("inspect", "--raw", *options, place)
        return (self.stage.folder / "output").read_bytes()

    def layout(self, source: str, *options: str) -> str:
        """An image of any place as ``layout:tag``."""
        place = f"{self.folder}/layout-{next(_numbers)}:it"
        self.copy(source, f"oci:{place}", *options)
        return place

    def unpack(self, place: str) -> Path:
        """The bundle that ``umoci unpack`` makes of an image."""
        bundle = self.folder / f"bundle-{next(_numbers)}"
        self.stage.run(["umoci", "unpack", "--image", place, str(bundle)])
        return bundle

    def repack(self, place: str, bundle: Path) -> None:
        self.stage.run(["umoci", "repack", "--image", place, str(bundle)])

    def unpacked(self, place: str) -> dict[str, Entry]:
        """The files of a ``layout:tag``."""
        return tree(self.stage, self.unpack(place) / "rootfs")

    def tree(self, source: str) -> dict[str, Entry]:
        return self.unpacked(self.layout(source))
