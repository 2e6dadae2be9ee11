"""The engine about itself: version, information, disk use."""

from __future__ import annotations

import os

from moby_tui.engine.containers.service import ContainerService
from moby_tui.engine.kernel.cgroup import detect
from moby_tui.engine.policy.user_namespaces import Remap
from moby_tui.engine.resources.images.manager import ImageManager
from moby_tui.engine.resources.volumes.manager import VolumeManager
from moby_tui.engine.runtime.runtimes import Runtimes
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.state import now
from moby_tui.logins import domain_of
from moby_tui.schema.image import RegistryAuth
from moby_tui.schema.system import DiskUsage, Info, Login, Version, VersionComponent
from moby_tui.version import API_VERSION, MIN_API_VERSION, VERSION

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class SystemService:
    """The client protocol's ``System``."""

    def __init__(
        self,
        paths: Paths,
        database: Database,
        containers: ContainerService,
        images: ImageManager,
        volumes: VolumeManager,
        runtimes: Runtimes,
        remap: Remap,
    ) -> None:
        self._paths = paths
        self._database = database
        self._containers = containers
        self._images = images
        self._volumes = volumes
        self._runtimes = runtimes
        self._remap = remap
        #: whether the containers live on when the daemon that says so ends
        self.live_restore = True

    async def ping(self) -> None:
        """Raises nothing: who can call it has reached the engine."""

    async def version(self) -> Version:
        return version()

    async def info(self) -> Info:
        containers = await self._containers.list(all=True)
        states = [container.state for container in containers]
        layout = detect()
        system = os.uname()
        return Info(
            id=self._identity(),
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
            mem_total=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            docker_root_dir=str(self._paths.data_root),
            name=system.nodename,
            server_version=VERSION,
            live_restore_enabled=self.live_restore,
            runtimes={name: {"path": path or "in-process"} for name, path in self._runtimes.all().items()},
            default_runtime=self._runtimes.default,
            security_options=[
                "name=seccomp,profile=builtin",
                *(["name=userns"] if self._remap.mode else []),
                "name=cgroupns",
            ],
        )

    async def login(self, auth: RegistryAuth) -> Login:
        """Asks a registry whether it takes a login, which is kept by whoever asks. Raises ``Unauthorized``, ``Unavailable``."""
        from moby_tui.engine.resources.images.reference import Reference
        from moby_tui.engine.resources.images.registry import LOGIN, Registry

        async with Registry(Reference(domain_of(auth.serveraddress), ""), auth, purpose=LOGIN) as registry:
            await registry.login()
        return Login(status="Login Succeeded")

    def _identity(self) -> str:
        """An id of this data root, made on its first use and kept."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO engine VALUES ('id', ?)", (os.urandom(16).hex(),))
        return str(self._database.query("SELECT value FROM engine WHERE key = 'id'")[0]["value"])

    async def disk_usage(self) -> DiskUsage:
        images = await self._images.list()
        return DiskUsage(
            layers_size=sum(image.size for image in images),
            images=images,
            containers=await self._containers.list(all=True, size=True),
            volumes=await self._volumes.list(),
        )


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


def _operating_system() -> str:
    try:
        with open("/etc/os-release") as file:
            for line in file:
                if line.startswith("PRETTY_NAME="):
                    return line.partition("=")[2].strip().strip('"')
    except FileNotFoundError:
        pass
    return "Linux"
