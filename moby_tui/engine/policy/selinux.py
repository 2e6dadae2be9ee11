"""SELinux labels as they are asked for with ``--security-opt label=``. This engine labels nothing: where SELinux is off there is nothing to
label, as in Docker; where it is on, a label that would not be applied is refused."""

from __future__ import annotations

import os

from moby_tui.errors import InvalidArgument, NotImplementedYet

_ENFORCE = "/sys/fs/selinux/enforce"
_PARTS = ("user", "role", "level", "type", "filetype")


def check(label: str) -> None:
    """Raises ``InvalidArgument`` for a malformed label, ``NotImplementedYet`` for a label if the kernel has SELinux."""
    key, colon, value = label.partition(":")
    if label not in ("disable", "nested") and not (colon and value and key in _PARTS):
        raise InvalidArgument(
            f"bad label option {label!r}, valid options 'disable', 'nested' or '{', '.join(_PARTS)}' followed by ':' and a value"
        )
    if label != "disable" and os.path.exists(_ENFORCE):
        raise NotImplementedYet(f"option --security-opt label={label} on a kernel with SELinux")
