"""What the mount table says of file systems (proc_pid_mountinfo(5); light imports)."""

from __future__ import annotations

import os


def file_system(device: int) -> tuple[str, str]:
    """Kind and options of the file system that has the device number ``st_dev`` (stat(2)); empty if none is mounted that has it."""
    number = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            before, _, after = line.rstrip("\n").partition(" - ")
            if before.split(" ")[2] == number:
                kind, _, rest = after.partition(" ")
                return kind, rest.rpartition(" ")[2]
    return "", ""
