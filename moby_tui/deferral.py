"""Standard modules that a short command hardly ever uses are executed on first use, not on import.

asyncio imports ssl, inspect and more at the top of its modules, and msgspec its JSON schemas. A command that lives for a fifth of a
second would spend a fifth of its processor time on them. After ``install`` such a module is, when imported, an object without content;
the first look at one of its attributes executes it (a module's ``__getattr__``, PEP 562). ``importlib.util.LazyLoader`` does the same, but
executes a module when a second one imports it, and before Python 3.12 two threads at once may see one that is half executed.

aiohttp reads the certificate authorities of the machine twice when it is imported, which takes a third of its import and two mebibytes.
Here they are read for its first connection that uses TLS.

Our own modules are found before any other finder is asked, as files that end in ``.py``: the interpreter's finder tries five endings in
each folder, behind those of the built-in modules and of setuptools. A command imports a hundred of our modules, and saves a tenth of that.
"""

from __future__ import annotations

import _thread
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.abc import Loader
    from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
    from types import ModuleType
else:
    # importlib.machinery would be imported for them
    from _frozen_importlib_external import FileFinder, SourceFileLoader

#: Used only inside functions by those that import them. One that is taken apart by ``from … import`` is executed at once all the same.
_DEFERRED = frozenset(
    {
        *(
            "concurrent.futures",
            "datetime",
            "fnmatch",
            "hashlib",
            "inspect",
            "ipaddress",
            "linecache",
            "locale",
            "logging",
            "ntpath",
            "platform",
        ),
        *("ssl", "subprocess", "textwrap", "traceback", "typing_extensions", "urllib.parse"),
        *("difflib", "mimetypes", "pickle", "random", "tempfile", "textual.types", "uuid"),
        *("asyncio.sslproto", "asyncio.staggered", "msgspec.inspect", "msgspec.msgpack", "msgspec.toml", "msgspec.yaml"),
    }
)
#: It makes its contexts for TLS when it is executed.
_CONNECTOR = "aiohttp.connector"


def install() -> None:
    """From now on, in this process."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
        # those of a frozen program are in no folder
        if not getattr(sys, "frozen", False):
            sys.meta_path.insert(0, _OwnModules())


class _OwnModules:
    """Finds the modules of this package."""

    def __init__(self) -> None:
        self._folders: dict[str, FileFinder] = {}

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not path or not name.startswith("moby_tui."):
            return None
        folder = self._folders.get(path[0])
        if folder is None:
            folder = self._folders[path[0]] = FileFinder(path[0], (SourceFileLoader, [".py"]))
        return folder.find_spec(name)


class _Finder:
    """Finds what the others find, with a loader of ours."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in _DEFERRED and name != _CONNECTOR:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                loader = _WithoutAuthorities if name == _CONNECTOR else _Deferred
                spec.loader = loader(spec.loader)  # type: ignore[assignment]  # no subclass: importlib.abc is heavy
                return spec
        return None


class _Deferred:
    """Executes a module when an attribute is looked for that it does not have. A loader (``importlib.abc.Loader``)."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        lock = _thread.RLock()
        is_executed = False

        def attribute(name: str) -> object:
            nonlocal is_executed
            # another thread waits until all is there; this one may be executing it
            with lock:
                # every "from … import" looks whether the module is a package
                if not is_executed and name != "__path__":
                    is_executed = True
                    try:
                        self._execute(module)
                    except BaseException:
                        is_executed = False
                        raise
                if name in vars(module):
                    return vars(module)[name]
            own = vars(module)["__getattr__"]
            if own is not attribute:
                return own(name)  # concurrent.futures imports its executors so
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        vars(module).update(_known(module.__name__), __getattr__=attribute)

    def _execute(self, module: ModuleType) -> None:
        """With its own loader, whom others ask for its source."""
        assert module.__spec__ is not None
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)


class _WithoutAuthorities:
    """Executes aiohttp's connector. A loader. Until its context has read the authorities it trusts nobody."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        import ssl

        executing = _thread.get_ident()

        def read_later(context: ssl.SSLContext) -> None:
            if _thread.get_ident() != executing:
                super(ssl.SSLContext, context).set_default_verify_paths()

        class Late(ssl.SSLContext):
            def wrap_bio(self, *arguments: object, **options: object) -> ssl.SSLObject:
                self._read()
                return self.wrap_bio(*arguments, **options)

            def wrap_socket(self, *arguments: object, **options: object) -> ssl.SSLSocket:
                self._read()
                return self.wrap_socket(*arguments, **options)

            def _read(self) -> None:
                self.__class__ = ssl.SSLContext  # type: ignore[assignment]
                self.set_default_verify_paths()

        ssl.SSLContext.set_default_verify_paths = read_later  # type: ignore[method-assign, assignment]
        try:
            self._loader.exec_module(module)
        finally:
            del ssl.SSLContext.set_default_verify_paths
        context = vars(module).get("_SSL_CONTEXT_VERIFIED")
        if isinstance(context, ssl.SSLContext):
            context.__class__ = Late


class _EncryptedSocket(type):
    """The type of what stands for ``ssl.SSLSocket`` until ``ssl`` is executed. asyncio checks each socket that it connects for it, and none
    can be one before."""

    def __instancecheck__(cls, instance: object) -> bool:
        import ssl

        executed = vars(ssl).get("SSLSocket")
        return executed is not cls and isinstance(instance, ssl.SSLSocket)


def _quote_from_bytes(data: bytes) -> str:
    """Executes ``urllib.parse``, by the use of a function that it has only then, and calls its function of this name."""
    from urllib import parse

    parse.quote("")
    return parse.quote_from_bytes(data)


#: Functions that others take out of a module when they are imported, and call seldom or never (Textual, Rich, platformdirs, asyncio).
_CALLED_LATER = {
    "difflib": ("get_close_matches",),
    "pickle": ("dumps", "loads"),
    "random": ("getrandbits",),
    "tempfile": ("gettempdir",),
    "traceback": ("extract_stack",),
    "uuid": ("uuid4",),
}


def _call_later(module: str, name: str) -> Callable[..., object]:
    """What stands for a function of a module until it is called."""

    def call(*arguments: object, **options: object) -> object:
        import importlib

        deferred = importlib.import_module(module)
        if vars(deferred).get(name) is call:
            getattr(deferred, "-", None)  # no module has it: the look executes it
        function: Callable[..., object] = vars(deferred)[name]
        return function(*arguments, **options)

    return call


class _Logger:
    """The logger of this name, which asyncio and modules of ours get when they are imported. It executes ``logging`` on its first use."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> object:
        import logging

        if name == "debug" and "root" not in vars(logging):
            return lambda *words, **options: None  # nobody can have asked for it yet; every event loop tells of its selector so
        return getattr(_executed_get_logger(self._name), name)


def _get_logger(name: str = "") -> object:
    return _Logger(name) if name.partition(".")[0] in ("asyncio", "moby_tui") else _executed_get_logger(name)


def _executed_get_logger(name: str) -> object:
    """Executes ``logging``, by the use of what it has only then, and calls its function of this name."""
    import logging

    _ = logging.root
    return logging.getLogger(name)


def _known(name: str) -> dict[str, object]:
    """What a module holds ahead of its execution, since msgspec or asyncio asks for it while it is imported, and it is known without."""
    if name == "urllib.parse":
        return {"quote_from_bytes": _quote_from_bytes}  # for pathlib, which calls it to write a URI
    if name == "concurrent.futures":
        return {name: name for name in ("ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION")}  # for asyncio.tasks
    if name == "datetime":
        import _datetime  # type: ignore[import-not-found]  # written in C

        # all that the module offers: what it executes before is the same once more in Python
        return {name: value for name, value in vars(_datetime).items() if not name.startswith("__")}
    if name == "logging":
        return {"DEBUG": 10, "getLogger": _get_logger}  # for asyncio, and for modules of ours
    if name == "ssl":
        return {"SSLSocket": _EncryptedSocket("SSLSocket", (), {})}
    if name == "subprocess":
        return {"PIPE": -1, "STDOUT": -2, "DEVNULL": -3}  # defaults of parameters in asyncio
    if name == "platform":
        return {"system": lambda: os.uname().sysname}  # for the module uuid
    if name in _CALLED_LATER:
        return {function: _call_later(name, function) for function in _CALLED_LATER[name]}
    if name == "textual.types":
        return {"IgnoreReturnCallbackType": object}  # for annotations in textual.command; nothing else of it is used
    if name == "typing_extensions":
        import typing

        # since Python 3.11 they are the same
        return {name: getattr(typing, name) for name in ("NotRequired", "Required", "get_type_hints")}
    return {}
