"""``python -m bench``: measures, prints the table, and with ``--write`` puts it into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import compileall
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench import image, report
from bench.peers import moby
from bench.peers.crun import Crun
from bench.peers.docker import Docker
from bench.peers.podman import Podman
from bench.rows import Row, measure
from bench.stage import Stage

PROJECT = Path(__file__).parent.parent
DOCUMENT = PROJECT / "docs" / "benchmarks.md"
BINARY = PROJECT / "dist" / "moby"
IDLE = 10


@contextmanager
def contest(base: Path) -> Iterator[tuple[list[Row], list[str]]]:
    """Sets all contestants up, each on a stage of its own, and gives the rows and the versions."""
    archive = base / "busybox.tar"
    image.archive(archive)
    with ExitStack() as stages:

        def stage(name: str, cgroups: tuple[str, ...], worker: str = "bench.runner", *arguments: str) -> Stage:
            return stages.enter_context(Stage(base / name, worker=worker, arguments=arguments, cgroups=cgroups))

        docker = Docker(stage("docker", Docker.cgroups), archive)
        podman = Podman(stage("podman", Podman.cgroups), archive)
        crun = Crun(stage("crun", Crun.cgroups), archive)
        daemon = moby.Daemon(stage("daemon", moby.Daemon.cgroups), archive)
        cli_stage = stage("cli", moby.CommandLine.cgroups)
        command = moby.CommandLine(cli_stage, archive)
        one_file = moby.OneFile(stage("one-file", ()), BINARY)
        sdk = moby.Sdk(stage("sdk", moby.Sdk.cgroups, "bench.warm", str(archive)))

        rows = [
            Row("docker run --rm busybox true, bridge", "dockerd", daemon.run_true, docker.run_true, target=0.3, runs=20),
            Row("run --rm busybox true, bridge, no daemon", "podman", command.run_true, podman.run_true, target=0.6, runs=20),
            Row("start to exit of true, no network, warm SDK", "crun run", sdk.start_true, crun.run_true, target=1.2, runs=48),
            Row(
                f"PSS of an idle container's monitor ({IDLE} containers)",
                "containerd-shim",
                _median_of(daemon.monitors),
                _median_of(docker.monitors),
                target=1.5,
                runs=1,
                scale=1 / 1024,
                unit="KiB",
                warm_up=0,
            ),
            Row(
                "version, one file, second start",
                "its folder",
                one_file.version_of_file,
                one_file.version_of_folder,
                1.5,
                runs=20,
            ),
        ]
        yield rows, [moby.version(cli_stage), docker.version(), podman.version(), crun.version()]


def _median_of(sizes: Callable[[int], list[int]]) -> Callable[[], float]:
    return lambda: statistics.median(sizes(IDLE))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("the benchmarks need root: run `make bench` as root")
    # an installed package is compiled; a working tree that was just changed is not
    compileall.compile_dir(PROJECT / "moby_tui", quiet=1)
    base = Path(tempfile.mkdtemp(prefix="moby-bench-", dir="/var/tmp"))
    try:
        with contest(base) as (rows, versions):
            results = [measure(row) for row in rows]
    finally:
        shutil.rmtree(base)
    command = "make bench" if options.write else "python -m bench"
    text = (
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, Linux {platform.release()}, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}; {', '.join(versions)}. Medians; the sides take turns.\n\n{report.table(results)}"
    )
    print(text)
    if options.write:
        report.write(DOCUMENT, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
