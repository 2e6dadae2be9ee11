"""The files of a data root's secrets: one for each, named after its id, and the key. Blocking; all of them are small."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from moby_tui.engine.resources.secrets import encryption
from moby_tui.engine.store.disk import refusals_told
from moby_tui.engine.store.locks import FileLock
from moby_tui.errors import MobyError, NotFound
from moby_tui.schema.secret import Secret, SecretSpec

_SUFFIX = ".json"


class _Stored(msgspec.Struct, kw_only=True):
    """One file. ``data`` is encrypted, and bound to the id and the name: a file put in the place of another is not taken for it."""

    version: Literal[1] = 1
    id: str
    name: str
    labels: dict[str, str] = {}
    created_at: str
    nonce: bytes
    data: bytes

    @property
    def bound_to(self) -> bytes:
        return f"{self.id}\0{self.name}".encode()

    @property
    def shown(self) -> Secret:
        spec = SecretSpec(name=self.name, labels=self.labels)
        return Secret(id=self.id, created_at=self.created_at, updated_at=self.created_at, spec=spec)


_decoder = msgspec.json.Decoder(_Stored)


class SecretStore:
    """Reads and writes the files. The folder is made when the first secret is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = folder / "key"

    def lock(self, *, shared: bool = False) -> FileLock:
        """Held exclusively by whoever adds or removes a secret, shared by whoever refers to one."""
        with refusals_told(self._folder.parent):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            return FileLock(self._folder / ".lock", shared=shared)

    def all(self) -> list[Secret]:
        """By name. Raises ``MobyError`` for a file that is damaged."""
        secrets: list[Secret] = []
        for ident in self._ids():
            with suppress(NotFound):  # removed meanwhile
                secrets.append(self._read(ident).shown)
        return sorted(secrets, key=lambda secret: secret.spec.name)

    def add(self, secret: Secret, data: bytes) -> None:
        """Writes it; there whole or not at all, also after a power cut. Hold ``lock``. Raises ``StorageFull``, ``StorageReadOnly``."""
        with refusals_told(self._folder.parent):
            stored = _Stored(
                id=secret.id,
                name=secret.spec.name,
                labels=secret.spec.labels or {},
                created_at=secret.created_at,
                nonce=b"",
                data=b"",
            )
            stored.nonce, stored.data = encryption.encrypt(self._key_to_write(), data, stored.bound_to)
            self._write(self._path(secret.id), msgspec.json.encode(stored))

    def data(self, ident: str) -> bytes:
        """What the secret holds. Raises ``NotFound``, and ``MobyError`` if it cannot be decrypted."""
        stored = self._read(ident)
        try:
            return encryption.decrypt(encryption.read_key(self._key), stored.nonce, stored.data, stored.bound_to)
        except FileNotFoundError:
            raise self._key_lost() from None
        except ValueError as error:
            raise MobyError(f"secret {stored.name} cannot be decrypted: {error}; remove it and create it again") from None

    def remove(self, ident: str) -> None:
        """Removes a secret. The caller holds ``lock``. The blocks on disk are not overwritten: without the key they say nothing."""
        self._path(ident).unlink(missing_ok=True)

    def _ids(self) -> list[str]:
        try:
            return [name.removesuffix(_SUFFIX) for name in os.listdir(self._folder) if name.endswith(_SUFFIX) and name[0] != "."]
        except FileNotFoundError:
            return []

    def _path(self, ident: str) -> Path:
        return self._folder / f"{ident}{_SUFFIX}"

    def _read(self, ident: str) -> _Stored:
        path = self._path(ident)
        try:
            return _decoder.decode(path.read_bytes())
        except FileNotFoundError:
            raise NotFound(f"no such secret: {ident}") from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise MobyError(f"the file of a secret is damaged: restore {path} from a backup, or delete it") from None

    def _key_to_write(self) -> bytes:
        """The key; made if there is no secret yet."""
        try:
            return encryption.read_key(self._key)
        except FileNotFoundError:
            if self._ids():
                raise self._key_lost() from None
        key = encryption.new_key()
        self._write(self._key, key)
        return key

    def _key_lost(self) -> MobyError:
        return MobyError(f"the key of the secrets, {self._key}, is gone: restore it from a backup, or remove the secrets")

    def _write(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(f".{path.name}.new")
        try:
            # left by a writer that was killed: we hold the lock
            temporary.unlink(missing_ok=True)
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(fd)
            os.rename(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
