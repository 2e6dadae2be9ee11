"""What a client asks of the frontend ``dockerfile.v0``, as ``BuildOptions``.

The names are those of buildx and of BuildKit's Dockerfile frontend (moby/buildkit, frontend/dockerui). One that is not known is refused.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from urllib.parse import urlsplit

from moby_tui.api.buildkit.control import sources
from moby_tui.api.buildkit.wire.ops_pb2 import Definition
from moby_tui.errors import InvalidArgument, NotImplementedYet
from moby_tui.schema.build import BuildOptions, Provenance, Scan
from moby_tui.schema.container import HostConfig, Ulimit

#: Frontends that are this engine's own; ``gateway.v0`` is one if its ``source`` is a Dockerfile frontend, which the builder checks.
FRONTENDS = ("dockerfile.v0", "gateway.v0")
#: Names that change nothing that is made: what clients tell of themselves, and of where the context comes from.
_TOLD = frozenset({"frontend.caps", "requestid", "cache-imports", "cache-from", "contextkey", "dockerfilekey"})
_TOLD_PREFIXES = ("vcs:", "input-metadata:", "local-sessionid:", "local-sharedkey:")
#: Values of the options of provenance that can be asked for.
_PROVENANCE = {
    "type": ("provenance",),
    "mode": ("min", "max"),
    "version": ("v0.2",),
    "inline-only": ("0", "f", "false"),
    "reproducible": ("0", "f", "false", "1", "t", "true"),
    "disabled": ("0", "f", "false"),
}
#: Arguments that provenance does not tell as such.
_UNTOLD = _TOLD | {"filename", "platform", "image-resolve-mode", "cgroup-parent", "context"}
#: BuildKit's own scanner.
_SCANNER = "docker/buildkit-syft-scanner:stable-1"
_UPLOAD_HOST = "buildkit-session"
_PULL, _RESOLVE_MODES = "pull", ("", "default", "pull", "local")
_NETWORKS = ("", "default", "none", "host", "sandbox")
_TRUE, _FALSE = ("1", "t", "true"), ("", "0", "f", "false")


def read(attributes: Mapping[str, str], inputs: Mapping[str, Definition]) -> BuildOptions:
    """``inputs`` are graphs that attributes name as ``input:NAME``. Raises ``InvalidArgument``, ``NotImplementedYet``."""
    options = BuildOptions(live=True, dockerfile=attributes.get("filename") or "Dockerfile", target=attributes.get("target", ""))
    options.build_args = _with_prefix(attributes, "build-arg:")
    options.labels = _with_prefix(attributes, "label:")
    options.platforms = _listed(attributes.get("platform", ""))
    options.pull = _one_of("image-resolve-mode", attributes.get("image-resolve-mode", ""), _RESOLVE_MODES) == _PULL
    options.host = _host(attributes)
    _read_cache_use(attributes, options)
    # with it another frontend was chosen, and has asked for this build
    options.any_syntax = bool(attributes.get("cmdline"))
    _read_context(attributes, inputs, options)
    options.provenance = _provenance(attributes)
    options.recorded = _described(attributes, {"mode": "max"})
    options.scan = scan(attributes)
    for name, value in attributes.items():
        _check(name, value, options)
    return options


def known(attributes: Mapping[str, str]) -> dict[str, str]:
    """Those that ``read`` does not refuse for their names."""
    return {name: value for name, value in attributes.items() if _is_known(name) and not name.startswith("attest:")}


def upload(attributes: Mapping[str, str]) -> str:
    """The address of a context that the client holds ready in its session; empty if the context is something else."""
    address = attributes.get("context", "")
    return address if urlsplit(address).hostname == _UPLOAD_HOST else ""


def _read_cache_use(attributes: Mapping[str, str], options: BuildOptions) -> None:
    """An empty ``no-cache`` means all stages."""
    if "no-cache" in attributes:
        options.no_cache_filter = _listed(attributes["no-cache"])
        options.no_cache = not options.no_cache_filter


def _read_context(attributes: Mapping[str, str], inputs: Mapping[str, Definition], options: BuildOptions) -> None:
    named = _with_prefix(attributes, "context:")
    options.contexts = {name: sources.named(source, inputs) for name, source in named.items()}
    address = attributes.get("context", "")
    if "context" in inputs:
        address = sources.address(inputs["context"])
    if address.startswith("local:"):
        options.folder = address.removeprefix("local:")
    elif not address:
        options.folder = attributes.get("contextkey") or "context"
    elif not upload(attributes):
        options.remote = address
    if options.folder or attributes.get("dockerfilekey"):
        options.dockerfile_folder = attributes.get("dockerfilekey") or (
            "dockerfile" if "context" not in inputs else options.folder
        )


def _host(attributes: Mapping[str, str]) -> HostConfig:
    network = _one_of("force-network-mode", attributes.get("force-network-mode", ""), _NETWORKS)
    hosts = []
    for entry in _listed(attributes.get("add-hosts", "")):
        name, equals, address = entry.partition("=")
        if not equals:
            raise InvalidArgument(f"invalid add-hosts {entry[:80]!r}: write host=address")
        hosts.append(f"{name}:{address}")
    return HostConfig(
        network_mode="" if network in ("default", "sandbox") else network,
        extra_hosts=hosts or None,
        shm_size=_number("shm-size", attributes.get("shm-size", "")),
        cgroup_parent=attributes.get("cgroup-parent", ""),
        ulimits=[_ulimit(text) for text in _listed(attributes.get("ulimit", ""))] or None,
    )


def _ulimit(text: str) -> Ulimit:
    name, _, limits = text.partition("=")
    soft, _, hard = limits.partition(":")
    return Ulimit(name=name, soft=_number("ulimit", soft), hard=_number("ulimit", hard or soft))


#: Names that ``read`` uses.
_READ = frozenset(
    {
        *("filename", "target", "platform", "image-resolve-mode", "no-cache", "source", "cmdline", "syntax", "context"),
        *("force-network-mode", "add-hosts", "shm-size", "cgroup-parent", "ulimit", "multi-platform"),
    }
)
_READ_PREFIXES = ("build-arg:", "label:", "context:", "attest:")


def _check(name: str, value: str, options: BuildOptions) -> None:
    """Raises ``NotImplementedYet`` for what this engine does not do."""
    if name == "multi-platform" and _flag(name, value) and len(options.platforms) < 2:
        raise NotImplementedYet("multi-platform for one platform: an index with one image")
    if name.startswith("attest:"):
        _check_attestation(name.removeprefix("attest:"), value)
    if not _is_known(name):
        raise NotImplementedYet(f"the frontend option {name[:80]}")


def _is_known(name: str) -> bool:
    return name in _READ | _TOLD or name.startswith((*_READ_PREFIXES, *_TOLD_PREFIXES))


def check_of_graph(name: str, value: str) -> None:
    """Raises ``NotImplementedYet`` for an attestation of what a graph of operations makes."""
    if name.startswith("attest:"):
        _check_attestation(name.removeprefix("attest:"), value)
        if _provenance({name: value}) is not None:
            raise NotImplementedYet("provenance of a build from a graph of operations")


def _check_attestation(kind: str, value: str) -> None:
    entries = _entries(value)
    if kind not in ("provenance", "sbom") and entries.get("disabled") not in _TRUE:
        raise InvalidArgument(f'unknown attestation type "{kind[:80]}"')


def scan(attributes: Mapping[str, str]) -> Scan | None:
    """The bill of materials that is asked for. Raises ``NotImplementedYet``."""
    if "attest:sbom" not in attributes:
        return None
    entries = _entries(attributes["attest:sbom"])
    if entries.pop("disabled", "") in _TRUE:
        return None
    return Scan(scanner=entries.pop("generator", "") or _SCANNER, parameters=entries)


def _entries(value: str) -> dict[str, str]:
    return dict(entry.partition("=")[::2] for entry in _listed(value))


def _provenance(attributes: Mapping[str, str]) -> Provenance | None:
    """None if it is not asked for: ``inline-only`` is what buildx says by itself, for outputs without an index."""
    if "attest:provenance" not in attributes:
        return None
    entries = _entries(attributes["attest:provenance"])
    if entries.get("disabled") in _TRUE or entries.get("inline-only") in _TRUE:
        return None
    if entries.get("mode", "min") not in _PROVENANCE["mode"]:
        raise InvalidArgument(f'invalid mode "{entries["mode"][:40]}"')
    if entries.get("version", "v1") not in ("v0.2", "v1"):
        raise InvalidArgument(f"invalid provenance SLSA version: {entries['version'][:40]}")
    for name, value in entries.items():
        if value not in _PROVENANCE.get(name, (value,)) or name not in (*_PROVENANCE, "builder-id"):
            raise NotImplementedYet(f"provenance with {name[:40]}={value[:40]}")
    return _described(attributes, entries)


def _described(attributes: Mapping[str, str], entries: Mapping[str, str]) -> Provenance:
    arguments = {name: value for name, value in attributes.items() if _is_argument(name)}
    return Provenance(
        frontend="dockerfile.v0",
        arguments=dict(sorted(arguments.items())),
        everything=entries.get("mode", "min") == "max",
        vcs=_with_prefix(attributes, "vcs:"),
        builder=entries.get("builder-id", ""),
        is_reproducible=entries.get("reproducible", "") in _TRUE,
    )


def _is_argument(name: str) -> bool:
    """True for what provenance tells of the caller's wishes: not of its machine, nor what has a place of its own."""
    return name not in _UNTOLD and not name.startswith((*_TOLD_PREFIXES, "attest:", "context:"))


def _with_prefix(attributes: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): value for name, value in attributes.items() if name.startswith(prefix)}


def _listed(text: str) -> list[str]:
    """The fields of one line of comma-separated values (RFC 4180)."""
    try:
        return [field for row in csv.reader([text], strict=True) for field in row if field]
    except csv.Error as error:
        raise InvalidArgument(f"invalid list {text[:80]!r}: {error}") from None


def _number(name: str, text: str) -> int:
    try:
        return int(text or "0")
    except ValueError:
        raise InvalidArgument(f"invalid {name} {text[:40]!r}: it is a number") from None


def _flag(name: str, text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise InvalidArgument(f"invalid {name} {text[:40]!r}: it is true or false")
    return text.lower() in _TRUE


def _one_of(name: str, text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise InvalidArgument(f"invalid {name} {text[:40]!r}: it is {', '.join(filter(None, known))}")
    return text
