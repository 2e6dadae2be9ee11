"""System calls as prototypes with declared types, for plans that are laid out first and run later.

A call here does not raise: it answers -1 and leaves errno, as C does. The typed, raising faces for everyday use are the other
modules of this folder. Numbers: the kernel's ``syscalls/syscall.tbl`` (x86-64) and ``asm-generic/unistd.h`` (arm64).
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_long, c_size_t, c_uint, c_ulong, c_void_p
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Call = Callable[..., int]

_libc = ctypes.CDLL(None, use_errno=True)
MACHINE = os.uname().machine
_NUMBERS = {
    "x86_64": {
        "capget": 125,
        "setfsgid": 123,
        "setfsuid": 122,
        "setresuid": 117,
        "setresgid": 119,
        "setgroups": 116,
        "capset": 126,
        "pivot_root": 155,
        "seccomp": 317,
        "keyctl": 250,
        "exit_group": 231,
        "rt_sigaction": 13,
        "sched_setattr": 314,
        "ioprio_set": 251,
    },
    "aarch64": {
        "capget": 90,
        "setfsgid": 152,
        "setfsuid": 151,
        "setresuid": 147,
        "setresgid": 149,
        "setgroups": 159,
        "capset": 91,
        "pivot_root": 41,
        "seccomp": 277,
        "keyctl": 219,
        "exit_group": 94,
        "rt_sigaction": 134,
        "sched_setattr": 274,
        "ioprio_set": 30,
    },
}
if MACHINE not in _NUMBERS:
    raise ImportError(f"moby runs on x86_64 and aarch64, and this machine is {MACHINE}")


# a function's own types, and no prototype for it (CFUNCTYPE): each of those is a class, 46 in every process of a container
def _libc_call(name: str, *types: type[ctypes._SimpleCData[Any]]) -> Call:
    call = _libc[name]
    call.argtypes = types
    return call


def _raw(number: int, *types: type[ctypes._SimpleCData[Any]]) -> Call:
    call = _libc["syscall"]
    call.argtypes, call.restype = (c_long, *types), c_long
    return partial(call, number)


def _named(name: str, *types: type[ctypes._SimpleCData[Any]]) -> Call:
    return _raw(_NUMBERS[MACHINE][name], *types)


errno_now = ctypes.get_errno

# files and descriptors
access = _libc_call("access", c_char_p, c_int)
chdir = _libc_call("chdir", c_char_p)
chmod = _libc_call("chmod", c_char_p, ctypes.c_uint)
close = _libc_call("close", c_int)
dup3 = _libc_call("dup3", c_int, c_int, c_int)
fchdir = _libc_call("fchdir", c_int)
getcwd = _raw({"x86_64": 79, "aarch64": 17}[MACHINE], c_void_p, c_size_t)
chroot = _libc_call("chroot", c_char_p)
fchmod = _libc_call("fchmod", c_int, c_uint)
fchownat = _libc_call("fchownat", c_int, c_char_p, c_uint, c_uint, c_int)
fchown = _libc_call("fchown", c_int, c_uint, c_uint)
fstatfs = _libc_call("fstatfs", c_int, c_void_p)
ioctl = _libc_call("ioctl", c_int, c_ulong, c_void_p)
mkdirat = _libc_call("mkdirat", c_int, c_char_p, c_uint)
mknodat = _libc_call("mknodat", c_int, c_char_p, c_uint, c_ulong)
openat = _libc_call("openat", c_int, c_char_p, c_int, c_uint)
read = _libc_call("read", c_int, c_void_p, c_size_t)
sendmsg = _libc_call("sendmsg", c_int, c_void_p, c_int)
syncfs = _libc_call("syncfs", c_int)
symlinkat = _libc_call("symlinkat", c_char_p, c_int, c_char_p)
umask = _libc_call("umask", c_uint)
write = _libc_call("write", c_int, c_void_p, c_size_t)
close_range = _raw(436, c_uint, c_uint, c_uint)
_openat2 = _raw(437, c_int, c_char_p, c_void_p, c_size_t)
#: A try takes about a microsecond. A process that renames without pause makes nearly every one of them fail.
_RACE_RETRIES = 20_000
_TRY_AGAIN = (errno.EAGAIN, errno.EINTR)


def openat2(directory: int, path: bytes, how: int, size: int) -> int:
    """openat2(2), tried again on EAGAIN, with which the kernel answers ``..`` if anything on the machine was renamed or mounted meanwhile."""
    for _ in range(_RACE_RETRIES):
        fd = _openat2(directory, path, how, size)
        if fd >= 0 or ctypes.get_errno() not in _TRY_AGAIN:
            break
    return fd


# mounts
fsopen = _raw(430, c_char_p, c_uint)
fsconfig = _raw(431, c_int, c_uint, c_char_p, c_char_p, c_int)
fsmount = _raw(432, c_int, c_uint, c_uint)
mount = _libc_call("mount", c_char_p, c_char_p, c_char_p, c_ulong, c_char_p)
mount_setattr = _raw(442, c_int, c_char_p, c_uint, c_void_p, c_size_t)
move_mount = _raw(429, c_int, c_char_p, c_int, c_char_p, c_uint)
open_tree = _raw(428, c_int, c_char_p, c_uint)
pivot_root = _named("pivot_root", c_char_p, c_char_p)
umount2 = _libc_call("umount2", c_char_p, c_int)

# processes
capget = _named("capget", c_void_p, c_void_p)
capset = _named("capset", c_void_p, c_void_p)
execve = _libc_call("execve", c_char_p, c_void_p, c_void_p)
exit_group = _named("exit_group", c_int)
ioprio_set = _named("ioprio_set", c_int, c_int, c_int)
keyctl_join = _named("keyctl", c_int, c_char_p)
personality = _libc_call("personality", c_ulong)
prctl = _libc_call("prctl", c_int, c_ulong, c_ulong, c_ulong, c_ulong)
rt_sigaction = _named("rt_sigaction", c_int, c_void_p, c_void_p, c_size_t)
sched_setaffinity = _libc_call("sched_setaffinity", c_int, c_size_t, c_void_p)
sched_setattr = _named("sched_setattr", c_int, c_void_p, c_uint)
seccomp = _named("seccomp", c_uint, c_uint, c_void_p)
setdomainname = _libc_call("setdomainname", c_char_p, c_size_t)
setfsgid = _named("setfsgid", c_uint)
setfsuid = _named("setfsuid", c_uint)
setgroups = _named("setgroups", c_size_t, c_void_p)
sethostname = _libc_call("sethostname", c_char_p, c_size_t)
setns = _libc_call("setns", c_int, c_int)
setresgid = _named("setresgid", c_uint, c_uint, c_uint)
setresuid = _named("setresuid", c_uint, c_uint, c_uint)
setrlimit = _libc_call("setrlimit", c_int, c_void_p)
setsid = _libc_call("setsid")
sigprocmask = _libc_call("sigprocmask", c_int, c_void_p, c_void_p)
unshare = _libc_call("unshare", c_int)
