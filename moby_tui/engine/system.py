"""The engine about itself: version, information, disk use."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import UNSET
from msgspec.structs import replace

from moby_tui.engine.kernel import process as processes
from moby_tui.engine.kernel.cgroup import detect
from moby_tui.engine.policy.access import check as check_caller
from moby_tui.engine.policy.access import group_id as socket_group
from moby_tui.engine.store.state import now
from moby_tui.engine.tasks import in_thread
from moby_tui.logins import domain_of
from moby_tui.schema.base import Filters
from moby_tui.schema.image import BuildPruned, RegistryAuth
from moby_tui.schema.system import (
    Check,
    DataRoot,
    DiskUsage,
    Info,
    Login,
    PruneOptions,
    PruneReport,
    Version,
    VersionComponent,
)
from moby_tui.schema.volume import Volume, VolumeUsage
from moby_tui.version import API_VERSION, MIN_API_VERSION, VERSION

if TYPE_CHECKING:
    from moby_tui.engine.containers.service import ContainerService
    from moby_tui.engine.resources.builder.builder import ImageBuilder
    from moby_tui.engine.resources.images.manager import ImageManager
    from moby_tui.engine.resources.volumes.manager import VolumeManager
    from moby_tui.engine.runtime.configuration.runtimes import Runtimes
    from moby_tui.engine.store.database import Database
    from moby_tui.engine.store.paths import Paths
    from moby_tui.engine_options import EngineOptions

log = logging.getLogger(__name__)

#: That of dockerd's systemd unit.
_DAEMON_OOM_SCORE = -500
#: For each limit of ``info`` the feature of the control groups (``kernel/cgroup/features.py``) and its name in a warning.
_LIMITS = {
    "memory_limit": ("memory", "memory limit"),
    "swap_limit": ("memory swap", "swap limit"),
    "kernel_memory_tcp": ("kernel memory of TCP", "kernel memory TCP limit"),
    "oom_kill_disable": ("oom killer", "oom kill disable"),
    "cpu_cfs_period": ("cpu quota", "cpu cfs period"),
    "cpu_cfs_quota": ("cpu quota", "cpu cfs quota"),
    "cpu_shares": ("cpu shares", "cpu shares"),
    "cpu_set": ("cpuset", "cpuset"),
    "pids_limit": ("pids", "pids limit"),
}
#: Version 2 of the control groups has none of them.
_FIRST_VERSION = frozenset({"kernel_memory_tcp", "oom_kill_disable"})
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

__all__ = ["SystemService", "check_caller", "socket_group"]


class SystemService:
    """The client protocol's ``System``."""

    def __init__(
        self,
        paths: Paths,
        database: Database,
        containers: ContainerService,
        images: ImageManager,
        volumes: VolumeManager,
        options: Callable[[], EngineOptions],
        runtimes: Callable[[], Runtimes],
        builder: Callable[[], ImageBuilder],
    ) -> None:
        self._paths = paths
        self._database = database
        self._containers = containers
        self._images = images
        self._volumes = volumes
        self._options = options
        self._runtimes = runtimes
        self._builder = builder

    def protect_daemon(self) -> None:
        """Closes this process to containers in its pid namespace, and makes it less likely to be killed for want of memory.

        What the kernel refuses is logged: to lower the score takes CAP_SYS_RESOURCE.
        """
        processes.prctl(processes.PR_SET_DUMPABLE, 0)
        if not processes.lower_oom_score(_DAEMON_OOM_SCORE):
            log.info("oom_score_adj is not lowered to %d: that takes CAP_SYS_RESOURCE", _DAEMON_OOM_SCORE)

    async def ping(self) -> None:
        """Raises nothing: who can call it has reached the engine."""

    async def version(self) -> Version:
        return version()

    async def info(self) -> Info:
        from moby_tui.engine.kernel.cgroup.features import has
        from moby_tui.engine.policy import apparmor
        from moby_tui.engine.resources.images.registry import hosts
        from moby_tui.engine.runtime.configuration import cdi

        containers = await self._containers.list(all=True)
        states = [container.state for container in containers]
        layout = detect()
        system = os.uname()
        options, runtimes = self._options(), self._runtimes()
        limits = {name: has(layout, feature) for name, (feature, _) in _LIMITS.items()}
        forwarding = _forwards()
        info = Info(
            ipv4_forwarding=forwarding,
            warnings=_missing(limits, forwarding, layout.version) or None,
            id=self._database.identity(),
            containers=len(containers),
            containers_running=states.count("running"),
            containers_paused=states.count("paused"),
            containers_stopped=len(states) - states.count("running") - states.count("paused"),
            images=self._images.count(),
            system_time=now(),
            cgroup_version=str(layout.version),
            kernel_version=system.release,
            operating_system=_operating_system(),
            architecture=system.machine,
            n_cpu=len(os.sched_getaffinity(0)),
            n_fd=len(os.listdir("/proc/self/fd")),
            # what Go has in its place
            n_goroutines=len(asyncio.all_tasks()) + threading.active_count(),
            mem_total=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            docker_root_dir=str(self._paths.data_root),
            name=system.nodename,
            http_proxy=_proxy("http_proxy"),
            https_proxy=_proxy("https_proxy"),
            no_proxy=_proxy("no_proxy"),
            server_version=VERSION,
            live_restore_enabled=options.live_restore,
            debug=options.debug,
            labels=[*options.labels],
            logging_driver=options.log_driver,
            registry_config=hosts.described(options),
            runtimes={name: {"path": path or "in-process"} for name, path in runtimes.all().items()},
            default_runtime=runtimes.default,
            cdi_spec_dirs=[str(folder) for folder in cdi.FOLDERS],
            default_address_pools=[*options.default_address_pools] or UNSET,
            security_options=[
                *(["name=apparmor"] if apparmor.enabled() else []),
                f"name=seccomp,profile={options.seccomp_profile or 'builtin'}",
                *(["name=userns"] if options.userns_remap else []),
                "name=cgroupns",
            ],
        )
        return replace(info, **limits)

    async def login(self, auth: RegistryAuth) -> Login:
        """Asks a registry whether it takes a login, which is kept by whoever asks. Raises ``Unauthorized``, ``Unavailable``."""
        from moby_tui.engine.resources.images.registry.registry import LOGIN, Registry
        from moby_tui.reference import Reference

        async with Registry(Reference(domain_of(auth.serveraddress), ""), auth, self._options(), purpose=LOGIN) as registry:
            token = await registry.login()
        return Login(status="Login Succeeded", identity_token=token)

    async def disk_usage(self) -> DiskUsage:
        """Walks the data root: sizes are bytes on disk, of a container all that it keeps, of an image its layers and blobs."""
        from moby_tui.engine.disk_usage import Survey

        images, containers, volumes = (
            await self._images.list(),
            await self._containers.list(all=True),
            await self._local_volumes(),
        )
        survey = await in_thread(Survey, self._paths, self._images.records())
        for image in images:
            image.size, image.shared_size = survey.images.get(image.id, (0, 0))
        for container in containers:
            container.size_rw = survey.containers.get(container.id, 0)
            container.size_root_fs = container.size_rw + survey.images.get(container.image_id, (0, 0))[0]
        for volume in volumes:
            users = len(self._containers.using_volume(volume.name))
            volume.usage_data = VolumeUsage(size=survey.volumes.get(volume.name, 0), ref_count=users)
        return DiskUsage(
            layers_size=survey.images_size,
            images=images,
            containers=containers,
            volumes=volumes,
            build_cache=survey.build_cache,
            moby=DataRoot(parts=survey.parts),
        )

    async def _local_volumes(self) -> list[Volume]:
        """Those whose files are here: what a plug-in keeps takes none of our disk."""
        return await self._volumes.list(filters={"driver": ["local"]})

    async def examine(self) -> list[Check]:
        from moby_tui.engine.host_checks import examine

        return await in_thread(examine, self._paths.data_root, self._paths.exec_root)

    async def prunable(self, options: PruneOptions) -> PruneReport:
        """What the prunes of these kinds would take, in Docker's order: each knows what those before it take."""
        report = PruneReport()
        gone: list[str] = []
        if options.containers is not None:
            report.containers = await self._containers.prunable(filters=options.containers)
            gone = report.containers.containers_deleted or []
        if options.volumes is not None:
            report.volumes = await self._volumes.prunable(filters=options.volumes, gone=gone)
        removed: set[str] = set()
        going: set[str] = set()
        if options.images is not None:
            images = await self._images.prunable(filters=options.images, gone=gone)
            report.images = images.answer()
            removed, going = {record.id for record, _ in images.images}, images.digests
        if options.build is not None:
            report.build = await self._prunable_build(options.build, removed, going)
        return report

    async def _prunable_build(self, filters: Filters, removed: set[str], going: set[str]) -> BuildPruned:
        """``removed`` images, and layers and blobs that go with them, are not counted again."""
        bounds = ("reserved-space", "max-used-space", "min-free-space")
        rest = {key: values for key, values in filters.items() if key not in ("all", *bounds)}
        keep = await self._builder().kept_space(*(int(min(filters.get(name, ()), default="0")) for name in bounds))
        unused = await self._builder().prunable(all="all" in filters, filters=rest, gone=removed, keep_storage=keep)
        digests = self._images.unneeded(unused.digests, gone=removed) - going
        size = unused.size + await in_thread(self._images.measure, digests)
        return BuildPruned(caches_deleted=[*unused.steps, *unused.mounts], space_reclaimed=size)


def version() -> Version:
    """The version, for ``moby version`` and the API alike."""
    system = os.uname()
    architecture = _ARCHITECTURES.get(system.machine, system.machine)
    details = {"ApiVersion": API_VERSION, "MinAPIVersion": MIN_API_VERSION, "Os": "linux", "Arch": architecture}
    return Version(
        components=[VersionComponent(name="Engine", version=VERSION, details=details)],
        version=VERSION,
        api_version=API_VERSION,
        min_api_version=MIN_API_VERSION,
        arch=architecture,
        kernel_version=system.release,
    )


def _missing(limits: dict[str, bool], forwarding: bool, version: int) -> list[str]:
    """Warnings for what this machine lacks, in the words of ``docker info``."""
    lacking = [name for name, there in limits.items() if not there and (version == 1 or name not in _FIRST_VERSION)]
    warnings = [f"WARNING: No {_LIMITS[name][1]} support" for name in lacking]
    return warnings if forwarding else [*warnings, "WARNING: IPv4 forwarding is disabled"]


def _forwards() -> bool:
    with open("/proc/sys/net/ipv4/ip_forward") as file:
        return file.read().strip() == "1"


def _proxy(variable: str) -> str:
    """A proxy of the environment, with its login blotted out."""
    address = os.environ.get(variable) or os.environ.get(variable.upper(), "")
    before, at, host = address.rpartition("@")
    return f"{before.partition('://')[0]}://xxxxx:xxxxx@{host}" if at and "://" in before else address


def _operating_system() -> str:
    try:
        with open("/etc/os-release") as file:
            for line in file:
                if line.startswith("PRETTY_NAME="):
                    return line.partition("=")[2].strip().strip('"')
    except FileNotFoundError:
        pass
    return "Linux"
