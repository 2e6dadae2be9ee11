"""The hosts of each registry: mirrors, other addresses, certificates.

Read from a folder ``certs.d/HOST`` or ``certs.d/HOST_PORT_``:
a ``hosts.toml`` as containerd has it (containerd, docs/hosts.md), or, without one,
Docker's ``*.crt`` (authorities), ``*.cert`` and ``*.key`` (docs.docker.com, "Verify repository client with certificates").
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moby_tui.engine.tasks import in_thread
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import InvalidArgument
from moby_tui.reference import DEFAULT_DOMAIN

if TYPE_CHECKING:
    from ssl import SSLContext

    from yarl import URL

    from moby_tui.schema.system import RegistryConfig

#: The first of these with a folder for the registry is used.
FOLDERS = (Path("/etc/moby/certs.d"), Path("/etc/containerd/certs.d"), Path("/etc/docker/certs.d"))
PULL, RESOLVE, PUSH = "pull", "resolve", "push"
_ALL = frozenset((PULL, RESOLVE, PUSH))
_LOOPBACK = re.compile(r"localhost|127(?:\.\d{1,3}){3}|\[::1\]")
#: Within so many seconds an insecure registry has to answer over TLS.
_PROBE_SECONDS = 10
_ADDRESS = re.compile(r"(https?)://([^/\s?#@]+)(/[^\s?#]*)?")
_KEYS = frozenset(("capabilities", "ca", "client", "skip_verify", "header", "override_path"))
Json = dict[str, Any]


@dataclass(frozen=True)
class Host:
    """``base`` comes before a repository's path: ``https://host/v2``. ``can``: pull, resolve (a tag to a digest), push."""

    base: str
    domain: str
    can: frozenset[str] = _ALL
    authorities: tuple[Path, ...] = ()
    #: the client's certificate and key
    clients: tuple[tuple[Path, Path | None], ...] = ()
    verify: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    #: whether it may turn out to be an insecure registry: ``settled`` finds out
    unsettled: bool = False

    def tls(self) -> SSLContext | bool:
        """The TLS context, with the authorities and the client's certificate. Raises ``InvalidArgument`` for unusable files. Blocking."""
        import ssl

        if not (self.authorities or self.clients) and self.verify:
            return True
        context = ssl.create_default_context()
        if not self.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for file in self.authorities:
            _load(file, lambda path: context.load_verify_locations(path))
        for certificate, key in self.clients:
            _load(certificate, lambda path, key=key: context.load_cert_chain(path, key))
        return context


def _load(file: Path, load: Any) -> None:
    try:
        load(file)
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"certificate {file} cannot be used: {error}") from error


def is_loopback(domain: str) -> bool:
    """True for a registry on this machine, which is reached by plain HTTP unless configured otherwise, as with Docker."""
    return _LOOPBACK.fullmatch(re.sub(r":\d+$", "", domain)) is not None


def hosts_of(domain: str, options: EngineOptions) -> list[Host]:
    """The hosts to try, in order: the engine's mirrors of Docker Hub, those of the files, and the registry itself as the last.

    Raises ``InvalidArgument`` for a malformed file."""
    mirrors = [] if domain != DEFAULT_DOMAIN else [_mirror(address) for address in options.registry_mirrors]
    hosts = [*mirrors, *_configured(domain)]
    if options.insecure_registries:
        hosts = [replace(host, unsettled=host.verify and host.base.startswith("https:")) for host in hosts]
    return hosts


def _mirror(address: str) -> Host:
    return Host(_base(address), address.partition("://")[2].partition("/")[0], frozenset((PULL, RESOLVE)))


def _configured(domain: str) -> list[Host]:
    folder = _folder(domain)
    if folder is None:
        return [_plain(domain)]
    file = folder / "hosts.toml"
    if file.exists():
        try:
            return _read(file, domain)
        except ValueError as error:
            raise InvalidArgument(f"{file}: {error}; see containerd's description of hosts.toml") from error
    keys = {path.stem: path for path in folder.glob("*.key")}
    clients = tuple((path, keys.get(path.stem)) for path in sorted(folder.glob("*.cert")))
    authorities = tuple(sorted(folder.glob("*.crt")))
    return [Host(_base(f"https://{_address(domain)}"), domain, authorities=authorities, clients=clients)]


def check(options: EngineOptions) -> None:
    """Raises ``InvalidArgument``, in dockerd's words, for a mirror that is none. Addresses of insecure registries can be anything."""
    for address in options.registry_mirrors:
        scheme, separator, rest = address.partition("://")
        if not separator:
            raise InvalidArgument(
                f"invalid mirror: no scheme specified for {_quoted(address)}: must use either 'https://' or 'http://'"
            )
        if scheme not in ("http", "https"):
            raise InvalidArgument(
                f"invalid mirror: unsupported scheme {_quoted(scheme)} in {_quoted(address)}: must use either 'https://' or 'http://'"
            )
        if "?" in rest or "#" in rest:
            raise InvalidArgument(f"invalid mirror: query or fragment at end of the URI {_quoted(address)}")
        if "@" in rest.partition("/")[0]:
            shown = f"{scheme}://{rest.rpartition('@')[2]}"
            raise InvalidArgument(f"invalid mirror: username/password not allowed in URI {_quoted(shown)}")
        if _ADDRESS.fullmatch(address) is None:
            raise InvalidArgument(f"invalid mirror: {_quoted(address[:200])} is no address of a registry")


def _quoted(text: str) -> str:
    return f'"{text}"'


def insecure(options: EngineOptions) -> tuple[list[str], list[IPv4Network | IPv6Network]]:
    """The insecure registries: by name, with the port if there is one, and by address. A scheme is left out, as dockerd has it."""
    names, networks = [], []
    for text in options.insecure_registries:
        name = re.sub(r"^https?://", "", text, flags=re.IGNORECASE).rstrip("/")
        try:
            networks.append(ip_network(text, strict=False))
        except ValueError:
            names.append(name)
    return names, networks


async def settled(host: Host, options: EngineOptions) -> Host:
    """The host as it is spoken to: an insecure registry without checking its certificate, and over plain HTTP if it has no TLS."""
    if not host.unsettled or not await in_thread(_is_insecure, host.domain, options):
        return host
    loose = replace(host, verify=False, unsettled=False)
    return loose if await _answers(loose) else replace(loose, base="http" + loose.base.removeprefix("https"))


def _is_insecure(domain: str, options: EngineOptions) -> bool:
    """Whether the registry is called insecure by its name or by one of its addresses. Blocking."""
    names, networks = insecure(options)
    if domain in names:
        return True
    if not networks:
        return False
    import socket

    name = re.sub(r":\d+$", "", domain).strip("[]")
    try:
        addresses = {entry[4][0] for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
    except OSError:
        return False
    return any(ip_address(address) in network for address in addresses for network in networks)


async def _answers(host: Host) -> bool:
    """Whether a registry answers over TLS there. One that cannot be reached at all fails again over plain HTTP, and is told of then."""
    from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
    from yarl import URL

    url = URL(f"{host.base}/")
    try:
        async with (
            ClientSession(
                connector=TCPConnector(ssl=await in_thread(host.tls)), timeout=ClientTimeout(total=_PROBE_SECONDS)
            ) as session,
            session.get(url, allow_redirects=False, proxy=proxy_for(url)),
        ):
            return True
    except (ClientError, OSError, ValueError):
        return False


def described(options: EngineOptions) -> RegistryConfig:
    """The ``RegistryConfig`` of ``info``."""
    # imported here, since a pull needs none
    from moby_tui.schema import system

    names, networks = insecure(options)
    mirrors = [f"{address.rstrip('/')}/" for address in options.registry_mirrors]
    indexes = {name: system.RegistryIndex(name=name, secure=False) for name in names}
    indexes[DEFAULT_DOMAIN] = system.RegistryIndex(name=DEFAULT_DOMAIN, mirrors=mirrors, official=True)
    ranges = sorted({*map(str, networks), "127.0.0.0/8", "::1/128"})
    return system.RegistryConfig(insecure_registry_cidrs=ranges, index_configs=indexes, mirrors=mirrors or None)


def _folder(domain: str) -> Path | None:
    host, _, port = domain.partition(":")
    names = [domain, f"{host}_{port}_" if port else host, "_default"]
    return next((path for folder in FOLDERS for name in names if (path := folder / name).is_dir()), None)


def _address(domain: str) -> str:
    return "registry-1.docker.io" if domain == DEFAULT_DOMAIN else domain


def _plain(domain: str) -> Host:
    return Host(_base(f"{'http' if is_loopback(domain) else 'https'}://{_address(domain)}"), domain)


def _base(address: str, *, override_path: bool = False) -> str:
    address = address.rstrip("/")
    return address if override_path or address.endswith("/v2") else f"{address}/v2"


def _read(file: Path, domain: str) -> list[Host]:
    import tomllib

    document = tomllib.loads(file.read_text())
    tables = document.get("host", {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise ValueError("[host] is not a table of hosts")
    unknown = set(document) - _KEYS - {"server", "host"}
    if unknown:
        raise ValueError(f"{sorted(unknown)[0]} is not known")
    hosts = [_host(address, table, file.parent, domain) for address, table in tables.items()]
    own = {key: value for key, value in document.items() if key in _KEYS}
    server = document.get("server") or _plain(domain).base.removesuffix("/v2")
    last = _host(server, own, file.parent, domain)
    return hosts if last.base in {host.base for host in hosts} else [*hosts, last]


def _host(address: object, table: Json, folder: Path, domain: str) -> Host:
    """One host of a ``hosts.toml``. Raises ``ValueError``."""
    unknown = set(table) - _KEYS
    if unknown:
        raise ValueError(f"{sorted(unknown)[0]} is not known")
    if not isinstance(address, str):
        raise ValueError(f"{address!r} is no address of a registry")
    text = address if "://" in address else f"https://{address}"
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError(f"{address[:200]!r} is no address of a registry")
    can = frozenset(map(str, _list(table.get("capabilities")))) or _ALL
    if not can <= _ALL:
        raise ValueError(f"capabilities are {', '.join(sorted(_ALL))}, not {', '.join(sorted(can - _ALL))}")
    same = match[2] in (domain, _address(domain))
    headers = {str(key): ", ".join(map(str, _list(value))) for key, value in dict(table.get("header", {})).items()}
    return Host(
        _base(text, override_path=bool(table.get("override_path"))),
        domain if same else match[2],
        can,
        tuple(folder / str(path) for path in _list(table.get("ca"))),
        tuple(_client(entry, folder) for entry in _list(table.get("client"))),
        not table.get("skip_verify", False),
        headers,
    )


def _client(entry: object, folder: Path) -> tuple[Path, Path | None]:
    files = [folder / str(path) for path in _list(entry)]
    if not 1 <= len(files) <= 2:
        raise ValueError("client is a file, or a pair of certificate and key")
    return files[0], files[1] if len(files) == 2 else None


def _list(value: object) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def proxy_for(url: URL) -> str | None:
    """The proxy that the environment names. (aiohttp's own way would also send logins from ``~/.netrc``.)"""
    if not any(name.lower().endswith("_proxy") for name in os.environ) or not url.host or is_loopback(url.host):
        return None
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    return None if proxy_bypass(url.host) else proxies.get(url.scheme) or proxies.get("all")
