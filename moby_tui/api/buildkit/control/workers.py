"""What this engine says of itself to build clients: one worker, and what it can do."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from weakref import WeakKeyDictionary

from moby_tui.api.buildkit.wire.capabilities_pb2 import APICap
from moby_tui.api.buildkit.wire.ops_pb2 import Platform
from moby_tui.api.buildkit.wire.worker_pb2 import BuildkitVersion, WorkerRecord
from moby_tui.api.client.protocol import Client
from moby_tui.errors import MobyError
from moby_tui.version import VERSION

_PACKAGE = "moby"
#: With a label of this name buildx offers what an engine with a store of OCI content can do: to write caches, OCI layouts, indexes.
_LABELS = {"org.mobyproject.buildkit.worker.snapshotter": "overlayfs"}
#: Capabilities of the bridge (moby/buildkit, frontend/gateway/pb/caps.go).
BRIDGE = (
    *("solve.base", "return", "returnmap", "proto.refarray", "reference.output", "frontend.inputs", "importcaches"),
    *("readfile", "readdir", "statfile", "solve.inlinereturn", "resolveimage", "resolveimage.resolvemode", "source.metaresolver"),
    *("gateway.exec", "gateway.exec.extrahosts", "gateway.exec.secretenv", "gateway.exec.signals", "gateway.warnings"),
    "reference.attestations",
    *("gateway.solve.metadata", "gateway.solve.evaluate", "gateway.evaluate", "frontend.caps"),
)
#: Capabilities of sources, exporters and prunes, by which clients choose what they ask for (moby/buildkit, solver/pb/caps.go).
BUILDS = (
    *("source.image", "source.image.resolvemode", "source.local", "source.local.unique", "source.local.sessionid"),
    *("source.local.includepatterns", "source.local.followpaths", "source.local.excludepatterns", "source.local.sharedkeyhint"),
    *("source.local.differ", "source.local.metadatatransfer", "source.ocilayout"),
    *(
        "source.git",
        "source.git.keepgitdir",
        "source.git.fullurl",
        "source.git.httpauth",
        "source.git.checksum",
        "source.git.subdir",
    ),
    *("source.http", "source.http.checksum", "source.http.perm", "source.buildop.llbfilename"),
    *("exec.meta.base", "exec.meta.network", "exec.mount.bind", "exec.mount.cache", "exec.mount.secret", "exec.mount.ssh"),
    *("exec.meta.proxyenv", "exec.meta.security", "exec.meta.ulimit", "exec.meta.cgroup.parent", "exec.meta.setsdefaultpath"),
    *("exec.mount.selector", "exec.mount.cache.sharing", "exec.mount.tmpfs", "exec.mount.tmpfs.size"),
    *("exec.mount.bind.readwrite-nooutput", "exec.secretenv", "exec.validexitcode"),
    *("file.base", "file.rm.wildcard", "file.rm.nofollowsymlink", "file.copy.includeexcludepatterns"),
    *("file.copy.alwaysreplaceexistingdestpaths", "file.symlink.create", "mergeop", "diffop"),
    *("constraints", "platform", "meta.ignorecache", "meta.description", "meta.exportcache"),
    *(
        "exporter.image.annotations",
        "exporter.image.attestations",
        "exporter.sourcedateepoch",
        "exporter.multiple",
        "gc.freespacefilter",
    ),
)


@cache
def capabilities(names: tuple[str, ...]) -> Sequence[APICap]:
    return [APICap(ID=name, Enabled=True) for name in names]


def version() -> BuildkitVersion:
    return BuildkitVersion(package=_PACKAGE, version=f"v{VERSION}")


#: The record of each engine: clients ask for it several times in a build, and it does not change.
_records: WeakKeyDictionary[Client, WorkerRecord] = WeakKeyDictionary()


async def record(client: Client) -> WorkerRecord:
    if client not in _records:
        _records[client] = await _record(client)
    return _records[client]


async def _record(client: Client) -> WorkerRecord:
    info = await client.system.info()
    platform = Platform(Architecture=_GO.get(info.architecture, info.architecture), OS="linux")
    return WorkerRecord(
        ID=info.id or _PACKAGE, Labels=_LABELS | await _gateway(client), platforms=[platform], BuildkitVersion=version()
    )


async def _gateway(client: Client) -> dict[str, str]:
    """The label by which a client knows the address of ``--add-host NAME:host-gateway``: that of the usual network; none without it."""
    with suppress(MobyError):
        network = await client.networks.inspect("bridge")
        for entry in network.ipam.config or ():
            if entry.gateway:
                return {"org.mobyproject.buildkit.worker.moby.host-gateway-ip": entry.gateway}
    return {}


#: Go's names of machines.
_GO = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}
