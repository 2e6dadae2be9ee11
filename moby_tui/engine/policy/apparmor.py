"""AppArmor: the profile ``moby-default`` of containers that ask for none, where the kernel has AppArmor (apparmor.d(5))."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from moby_tui.errors import InvalidArgument, MobyError

DEFAULT = "moby-default"
_ENABLED = Path("/sys/module/apparmor/parameters/enabled")
_PROFILES = Path("/sys/kernel/security/apparmor/profiles")
_PARSER = "apparmor_parser"

#: The seccomp filter refuses AF_ALG (CVE-2026-31431) and AF_VSOCK too, but cannot see the family in socketcall(2) of 32-bit programs.
#: Else: files and network as the mode bits say; signals and ptrace within the profile only; no mounts; nothing written to /proc but to
#: processes, to ``sys/net`` and to the limits of System V and POSIX messages; nothing to /sys but to control groups.
_TEXT = """\
profile moby-default flags=(attach_disconnected,mediate_deleted) {
  file,
  network,
  deny network alg,
  deny network vsock,
  capability,
  umount,
  deny mount,
  signal (receive) peer=unconfined,
  signal (send,receive) peer=moby-default,
  ptrace (trace,tracedby,read,readby) peer=moby-default,

  deny /proc/{[^1-9s],s[^y],sy[^s],sys[^/]}** w,
  deny /proc/{kcore,sysrq-trigger} rwklx,
  deny /proc/sys/[^kn]** w,
  deny /proc/sys/kernel/{[^sm],s[^he],sh[^m],se[^m],m[^s],ms[^g]}** w,

  deny /sys/{[^f],f[^s],fs/[^c],fs/c[^g]}** wklx,
  deny /sys/{firmware,devices/virtual/powercap,kernel/security}/** rwklx,
}
"""


def enabled() -> bool:
    """Whether the kernel confines with AppArmor and shows its profiles."""
    try:
        return _ENABLED.read_text().strip() == "Y" and _PROFILES.exists()
    except OSError:
        return False


def resolve(asked: str | None, *, privileged: bool) -> tuple[str, str]:
    """The profile's name (empty: unconfined) and a warning (empty: none). ``asked`` is the value of ``--security-opt apparmor=``.

    Raises ``InvalidArgument`` for a profile that is not loaded, ``MobyError`` if the default one cannot be loaded.
    """
    if asked == "unconfined" or (asked is None and privileged):
        return "", ""
    if not enabled():
        if asked is not None and asked != DEFAULT:
            raise InvalidArgument(
                f"apparmor profile {asked!r} cannot be applied: this kernel has no AppArmor; use apparmor=unconfined"
            )
        return "", ""
    if asked is not None and asked != DEFAULT:
        if not is_loaded(asked):
            raise InvalidArgument(f"apparmor profile {asked!r} is not loaded; load it with apparmor_parser")
        return asked, ""
    return _ensure_default()


def is_loaded(name: str) -> bool:
    """Whether the kernel knows the profile. Lines of the list are ``name (mode)``. Raises ``OSError`` without AppArmor."""
    return any(line.rpartition(" (")[0] == name for line in _PROFILES.read_text().splitlines())


def _ensure_default() -> tuple[str, str]:
    if is_loaded(DEFAULT):
        return DEFAULT, ""
    import shutil

    parser = shutil.which(_PARSER, path="/usr/local/sbin:/usr/sbin:/sbin:" + os.environ.get("PATH", ""))
    if parser is None:
        return (
            "",
            "this kernel has AppArmor and the container runs without it: install the package apparmor, which has apparmor_parser",
        )
    done = subprocess.run([parser, "--replace", "--skip-cache"], input=_TEXT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise MobyError(
            f"cannot load the apparmor profile {DEFAULT}: {last}; use --security-opt apparmor=unconfined to run without"
        )
    return DEFAULT, ""
