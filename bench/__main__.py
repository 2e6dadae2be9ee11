"""``python -m bench [ROW...]``: measures, prints the table, and with ``--write`` puts it into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import compileall
import os
import platform
import shutil
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from bench import report
from bench.contest import Contest, rows
from bench.rows import Result, Row, measure

PROJECT = Path(__file__).parent.parent
DOCUMENT = PROJECT / "docs" / "benchmarks.md"


def _chosen(contest: Contest, names: list[str]) -> list[Row]:
    """The rows of these names, all of them for none."""
    known = {row.name: row for row in rows(contest)}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"no row {unknown[0]!r}: there are {', '.join(known)}")
    return [row for row in known.values() if not names or row.name in names]


def _measured(base: Path, names: list[str], docker_root: Path | None) -> tuple[list[Result], list[str]]:
    results = []
    with closing(Contest(base, docker_root)) as contest:
        for row in _chosen(contest, names):
            results.append(measure(row))
            print(report.line(results[-1]), file=sys.stderr, flush=True)
        return results, contest.versions()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    parser.add_argument(
        "--docker-root", type=Path, metavar="FOLDER", help="a root file system whose dockerd and podman are measured"
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help="measure only these")
    options = parser.parse_args()
    if options.write and options.rows:
        parser.error("only a whole table is written")
    if os.geteuid() != 0:
        sys.exit("the benchmarks need root: run `make bench` as root")
    # an installed package is compiled; a working tree that was just changed is not
    compileall.compile_dir(PROJECT / "moby_tui", quiet=1)
    base = Path(tempfile.mkdtemp(prefix="moby-bench-", dir="/var/tmp"))
    try:
        results, versions = _measured(base, options.rows, options.docker_root)
    finally:
        shutil.rmtree(base, ignore_errors=True)
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
