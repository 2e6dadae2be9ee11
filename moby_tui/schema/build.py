"""A build as it is asked for, and what it says of its steps."""

from __future__ import annotations

from msgspec import Struct, field

from moby_tui.schema.container import HostConfig
from moby_tui.schema.image import RegistryAuth

#: Each as the part of ``BuildOptions.contexts`` that says: it comes with the build, under its name.
UPLOADED = "upload"
#: The same, of an OCI layout: after a colon may stand the tag or digest of the image that is meant.
UPLOADED_LAYOUT = "oci-layout"


#: An OCI layout that is a cache of another engine's.
UPLOADED_CACHE = "cache"


class Output(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Where a result goes. ``kind`` is ``image`` (the store), ``registry``, ``local``, ``tar``, ``oci`` or ``docker``; what the last four
    make comes back as ``Progress.output``."""

    kind: str
    push: bool = False


class CacheTarget(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Where the steps of a build are told for others: ``kind`` is ``inline`` (in the image), ``registry`` (as ``reference``) or ``local``
    (an OCI layout, as ``Progress.output``). Not ``everything``: those of the last stage alone."""

    kind: str
    reference: str = ""
    everything: bool = False


class BuildOptions(Struct, kw_only=True, omit_defaults=True):
    """``dockerfile`` is its name in the context; ``dockerfile_text`` is what it says where it lies elsewhere."""

    dockerfile: str = "Dockerfile"
    dockerfile_text: bytes | None = None
    #: an ignore file that lies beside such a Dockerfile
    ignore_text: bytes | None = None
    #: where the context is fetched from, where none is sent: a repository, or a tar or Dockerfile behind http
    remote: str = ""
    #: by name: ``UPLOADED``, an address as in ``remote``, ``docker-image://name``, ``target:stage``
    contexts: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    build_args: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, bytes] = field(default_factory=dict)
    #: by id, the socket of an agent or private keys; on the engine's machine
    ssh: dict[str, list[str]] = field(default_factory=dict)
    #: ``network.host``, ``security.insecure``
    allow: list[str] = field(default_factory=list)
    #: the Dockerfile is checked, and nothing is made
    check: bool = False
    target: str = ""
    #: none: this machine's
    platforms: list[str] = field(default_factory=list)
    pull: bool = False
    no_cache: bool = False
    #: stages that are made anew
    no_cache_filter: list[str] = field(default_factory=list)
    #: of images, or of caches in a registry; those that are files come as ``UPLOADED_CACHE``
    cache_from: list[str] = field(default_factory=list)
    cache_to: list[CacheTarget] = field(default_factory=list)
    #: none: an image in the store
    outputs: list[Output] = field(default_factory=list)
    #: what RUN steps are given: network, hosts, shared memory, limits
    host: HostConfig = field(default_factory=HostConfig)
    #: RUN steps at a time; 0: as many as there are processors
    jobs: int = 0
    #: logins, by registry, of a caller elsewhere
    auths: dict[str, RegistryAuth] = field(default_factory=dict)
    #: tells each step as it goes, rather than the classic builder's lines one stage after another
    live: bool = False
    #: a step that fails is kept to be looked at: ``aux`` names its container, which the caller ends
    debug: bool = False
