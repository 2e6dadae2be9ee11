"""What a daemon is asked about images: pull, push, save, load and build of the docker command line."""

from __future__ import annotations

import itertools
import os
from functools import cached_property
from pathlib import Path

from bench.registry import PORT, REFERENCE
from bench.stage import Stage

#: A step that runs, one that copies, and some that only note: small, so that it is the builder that is measured.
_DOCKERFILE = """\
FROM busybox
ARG N
ENV A=b
COPY files /files
RUN echo $N > /n
RUN mkdir /d && cp /n /d/n
WORKDIR /d
CMD ["cat", "n"]
"""
#: All of a context of so many files is copied.
_LARGE_DOCKERFILE = "FROM busybox\nCOPY . /x\n"
_LARGE = 10_000
_STAGES = 6
_STAGE_SECONDS = 0.5


class Images:
    def __init__(self, stage: Stage, env: dict[str, str], pid: int) -> None:
        """``pid`` is the daemon's."""
        self._stage = stage
        self._pid = pid
        self._env = env | {"DOCKER_BUILDKIT": "0", "DOCKER_CONFIG": str(stage.folder / "config")}
        self._numbers = itertools.count()
        self._contexts()

    def _contexts(self) -> None:
        context = self._stage.folder / "context"
        (context / "files").mkdir(parents=True)
        for number in range(200):
            (context / "files" / f"file{number}").write_text(f"{number}\n" * 500)
        (context / "Dockerfile").write_text(_DOCKERFILE)
        stages = self._stage.folder / "stages"
        stages.mkdir()
        made = "".join(
            f"FROM busybox AS s{n}\nARG N\nRUN echo $N; sleep {_STAGE_SECONDS}; echo {n} > /f{n}\n" for n in range(_STAGES)
        )
        copied = "".join(f"COPY --from=s{n} /f{n} /\n" for n in range(_STAGES))
        (stages / "Dockerfile").write_text(f"{made}FROM busybox\n{copied}")

    def pull(self) -> float:
        self._forget()
        return self._docker("pull", "-q", REFERENCE)

    def pull_memory(self) -> float:
        """Bytes by which the daemon and its helpers grow in a pull."""
        self._forget()
        return self._stage.growth(["docker", "pull", "-q", REFERENCE], self._env, self._pid)

    def push_pulled(self) -> float:
        """To a repository that is not there yet; the image is known to come from the same registry."""
        self._have()
        return self._push(REFERENCE)

    def push_built(self) -> float:
        """Of an image that was just built, and never pushed: its own layer has 40 MB."""
        number = next(self._numbers)
        context = self._stage.folder / f"own-{number}"
        context.mkdir()
        (context / "data").write_bytes(os.urandom(20_000_000) + bytes(range(256)) * 80_000)
        (context / "Dockerfile").write_text("FROM busybox\nCOPY data /data\n")
        self._docker("build", "-q", "-t", "own", str(context))
        return self._push("own")

    def _push(self, image: str) -> float:
        target = f"127.0.0.1:{PORT}/target/{next(self._numbers)}:1"
        self._docker("tag", image, target)
        return self._docker("push", "-q", target)

    def save(self) -> float:
        self._have()
        return self._docker("save", "-o", str(self._archive), REFERENCE)

    def load(self) -> float:
        if not self._archive.exists():
            self.save()
        self._forget()
        return self._docker("load", "-q", "-i", str(self._archive))

    @property
    def _archive(self) -> Path:
        return self._stage.folder / "large.tar"

    def build_cold(self) -> float:
        return self._docker(
            "build", "-q", "--no-cache", "--build-arg", f"N={next(self._numbers)}", str(self._stage.folder / "context")
        )

    def build_cached(self) -> float:
        return self._docker("build", "-q", "--build-arg", "N=same", str(self._stage.folder / "context"))

    def build_stages(self) -> float:
        return self._docker("build", "-q", "--build-arg", f"N={next(self._numbers)}", str(self._stage.folder / "stages"))

    def buildx_cold(self) -> float:
        return self._buildx("--no-cache", "--build-arg", f"N={next(self._numbers)}", str(self._stage.folder / "context"))

    def buildx_cached(self) -> float:
        return self._buildx("--build-arg", "N=same", str(self._stage.folder / "context"))

    def buildx_unchanged(self) -> float:
        return self._buildx(str(self._large_context))

    def _buildx(self, *arguments: str) -> float:
        """``docker buildx build``, over BuildKit's protocol, with the builder that is in the daemon."""
        return self._docker("buildx", "build", "-q", *arguments)

    @cached_property
    def _large_context(self) -> Path:
        context = self._stage.folder / "large"
        for number in range(_LARGE):
            folder = context / f"{number // 100}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"file{number}").write_text(f"{number}\n" * 100)
        (context / "Dockerfile").write_text(_LARGE_DOCKERFILE)
        return context

    def _have(self) -> None:
        """Pulls the large image where it is not there."""
        if REFERENCE not in self._names():
            self._docker("pull", "-q", REFERENCE)

    def _names(self) -> list[str]:
        return self._stage.run(["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"], self._env).output.split()

    def _forget(self) -> None:
        """Every name of the large image goes, and with the last the image."""
        if large := [name for name in self._names() if name.startswith(f"127.0.0.1:{PORT}/")]:
            self._docker("rmi", *large)

    def _docker(self, *arguments: str) -> float:
        return self._stage.run(["docker", *arguments], self._env).seconds
