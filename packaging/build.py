"""Builds the program as one file, and the manual pages beside it, in man/man1: ``build.py FILE``.

PyInstaller makes a folder; this packs it behind ``head.sh``. The same sources and tools give the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
#: No file of the program is younger or older than this: 2026-01-01.
EPOCH = 1767225600
#: Modules are stored as they are: each start would inflate hundreds of them, and the one file is compressed as a whole.
STORED = {"PYINSTALLER_ZLIB_COMPRESSION_LEVEL": "0"}


def freeze(work: Path) -> Path:
    """Runs PyInstaller and returns the folder it made."""
    env = {**os.environ, "PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": str(EPOCH), **STORED}
    options = ["--noconfirm", "--log-level=WARN", f"--distpath={work}/dist", f"--workpath={work}/work"]
    subprocess.run([sys.executable, "-m", "PyInstaller", *options, str(HERE / "moby.spec")], check=True, env=env)
    return work / "dist" / "moby"


def pack(folder: Path) -> bytes:
    """The folder as a compressed archive whose bytes depend on names, modes and contents alone."""

    def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = EPOCH
        entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
        return entry

    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as tar,
    ):
        for path in sorted(folder.rglob("*")):
            tar.add(path, str(path.relative_to(folder)), recursive=False, filter=anonymous)
    return buffer.getvalue()


def head(payload: bytes) -> bytes:
    """The script that goes before the payload."""
    text = (HERE / "head.sh").read_text()
    text = text.replace("@SHA256@", hashlib.sha256(payload).hexdigest())
    return text.replace("@LINE@", str(text.count("\n") + 1)).encode()


def main() -> None:
    target = Path(sys.argv[1])
    work = Path(tempfile.mkdtemp(prefix="moby-build-"))
    try:
        payload = pack(freeze(work))
    finally:
        shutil.rmtree(work)
    target.parent.mkdir(exist_ok=True)
    half_made = target.with_suffix(".part")
    half_made.write_bytes(head(payload) + payload)
    half_made.chmod(0o755)
    half_made.replace(target)
    subprocess.run([sys.executable, HERE / "make-manuals", target.parent / "man" / "man1"], check=True)
    print(f"{target}: {target.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
