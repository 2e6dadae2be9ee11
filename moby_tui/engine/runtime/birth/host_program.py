"""Runs our own program from mounts that are read-only, so that no container can write to its files (CVE-2019-5736; light imports).

A process of ours that enters a container shows it, until execve, our interpreter as /proc/PID/exe and our libraries in
/proc/PID/map_files; and a container whose command is ``/proc/self/exe`` runs the interpreter itself. Whoever opens a file in one of
these ways gets it on the mount that it was mapped from. So what enters containers is executed in a mount namespace of its own, in which
every mount of the host is read-only. When the interpreter and its libraries are mapped, the process returns to the mount namespace that
it came from, and the other one is gone with that: nobody can make its mounts writable again, since mount_setattr(2) and mount(2)
change only mounts of the caller's own namespace. To open what is mapped for writing, chmod it or truncate it fails with EROFS.

Needs what every container needs, CAP_SYS_ADMIN and Linux 5.12 (mount_setattr). Without them there is an error and no fallback.
"""

from __future__ import annotations

import _thread
import ctypes
import errno
import os
import sys

#: How the frozen program, which has no ``-c``, is told to call ``begin``.
COMMAND = "__host_program__"
_PACKAGE_FOLDER = __file__.rpartition("/moby_tui/")[0]

#: These few calls are not those of ``kernel/calls.py`` and ``kernel/mount.py``, whose import takes longer than they do: a command of
#: ``moby oci`` would pay for it twice.
_CLONE_NEWNS = 0x00020000
_MS_SLAVE = 0x80000
_MOUNT_ATTR_RDONLY = 0x1
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_SYS_MOUNT_SETATTR = 442
_PR_SET_DUMPABLE = 4

_libc = ctypes.CDLL(None, use_errno=True)

_protected = False


def is_protected() -> bool:
    """Whether this process runs from read-only mounts."""
    return _protected


def execute(module: str, libraries: tuple[str, ...], arguments: list[str]) -> None:
    """Becomes a protected process that calls ``module.main(arguments)`` and exits with what it returns.

    For a process with one thread. ``libraries`` are the extension modules, and shared libraries (``lib….so.N``), that it will use.
    Raises ``OSError``, in a mount namespace where nothing can be written.
    """
    home = _open_home()
    _make_read_only()
    for fd in home:
        os.set_inheritable(fd, True)
    os.execve(sys.executable, _command(module, libraries, home, arguments), os.environ)


def spawn(module: str, libraries: tuple[str, ...], arguments: list[str], descriptors: list[int]) -> int:
    """Starts a protected process as ``execute`` describes it, which inherits ``descriptors``; returns its pid. Raises ``OSError``.

    The mount namespace is made by a thread that ends with this call: the threads of this process stay where they are.
    """
    outcome: list[int | BaseException] = []
    done = _thread.allocate_lock()

    def start() -> None:
        try:
            outcome.append(_start(module, libraries, arguments, descriptors))
        except BaseException as error:
            outcome.append(error)
        finally:
            done.release()

    done.acquire()
    # not ``threading``: its import would delay the launcher's start
    try:
        _thread.start_new_thread(start, ())
    except RuntimeError:  # "can't start new thread": the kernel refused it, as the control group's limit of processes does
        raise OSError(errno.EAGAIN, "start a thread: " + os.strerror(errno.EAGAIN)) from None
    done.acquire()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _start(module: str, libraries: tuple[str, ...], arguments: list[str], descriptors: list[int]) -> int:
    home = _open_home()
    try:
        _make_read_only()
        # to duplicate a descriptor onto itself is how posix_spawn clears close-on-exec, in the new process alone
        actions = [(os.POSIX_SPAWN_DUP2, fd, fd) for fd in (*home, *descriptors)]
        return os.posix_spawn(sys.executable, _command(module, libraries, home, arguments), os.environ, file_actions=actions)
    finally:
        for fd in home:
            os.close(fd)


def begin(arguments: list[str]) -> None:
    """In the new program: maps the libraries, returns to the host's mounts and calls the module. Never returns."""
    global _protected
    module, libraries, home, *rest = arguments
    # nothing else is imported here: the interpreter could not write its cached bytecode
    for name in filter(None, libraries.split(",")):
        _map(name)
    _return_to([int(fd) for fd in home.split(",")])
    _protected = True
    sys.exit(__import__(module, fromlist=["main"]).main(rest))


def _command(module: str, libraries: tuple[str, ...], home: list[int], arguments: list[str]) -> list[str]:
    words = [module, ",".join(libraries), ",".join(map(str, home)), *arguments]
    if getattr(sys, "frozen", False):
        return [sys.executable, COMMAND, *words]
    # without site and runpy, which take a third of an interpreter's start
    path = [*filter(None, sys.path), _PACKAGE_FOLDER]
    program = f"import sys; sys.path[:] = {path}; from {__name__} import begin; begin(sys.argv[1:])"
    return [sys.executable, "-S", "-P", "-c", program, *words]


def _open_home() -> list[int]:
    """Descriptors of this thread's mount namespace, root and working directory."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    return [os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC), os.open("/", flags), os.open(".", flags)]


def _map(name: str) -> None:
    """Imports an extension module or loads a shared library; a missing one is skipped, since nothing will use it."""
    try:
        if name.startswith("lib"):
            import ctypes

            ctypes.CDLL(name)
        else:
            __import__(name)
    except (ImportError, OSError):
        pass


def _return_to(home: list[int]) -> None:
    namespace, root, directory = home
    # a container in our pid namespace cannot open our files through /proc (ptrace(2), access mode checking)
    _forbid_dumps()
    _enter(namespace)
    os.fchdir(root)
    os.chroot(".")
    os.fchdir(directory)
    for fd in home:
        os.close(fd)


def _make_read_only() -> None:
    """Gives the calling thread a copy of its mount namespace in which every mount is read-only (unshare(2), mount_setattr(2)).

    What the host unmounts meanwhile goes there too (MS_SLAVE). Raises ``OSError``.
    """
    _check(_libc.unshare(_CLONE_NEWNS), "make a mount namespace")
    attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY, 0, _MS_SLAVE, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    number = ctypes.c_long(_SYS_MOUNT_SETATTR)
    result = _libc.syscall(number, ctypes.c_long(_AT_FDCWD), b"/", ctypes.c_long(_AT_RECURSIVE), attributes, size)
    _check(result, "make mounts read-only")


def _enter(namespace: int) -> None:
    """setns(2) to a mount namespace, at whose root the process then is. For a process with one thread. Raises ``OSError``."""
    _check(_libc.setns(namespace, _CLONE_NEWNS), "return to the mount namespace")


def _forbid_dumps() -> None:
    """Makes the process not dumpable, and thereby its /proc/PID closed to others without CAP_SYS_PTRACE (prctl(2)). Raises ``OSError``."""
    zero = ctypes.c_ulong(0)
    _check(_libc.prctl(_PR_SET_DUMPABLE, zero, zero, zero, zero), "forbid dumps")


def _check(result: int, what: str) -> None:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
