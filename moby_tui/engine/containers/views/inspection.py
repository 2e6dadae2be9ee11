"""The answer of ``inspect``."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from moby_tui.engine.containers import wire
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.containers.views import health
from moby_tui.engine.containers.views.view import endpoints, mounts
from moby_tui.engine.policy import apparmor, security
from moby_tui.engine.store.paths import ContainerPaths
from moby_tui.engine.store.records.containers import ContainerRecord, NetworkState
from moby_tui.engine.store.state import ZERO_TIME, State
from moby_tui.schema.container import ContainerConfig, ContainerInspect, ContainerState, HostConfig, NetworkSettings


def inspect(parts: Parts, record: ContainerRecord, state: State) -> ContainerInspect:
    """Describes a container. ``state`` is its current state (``Parts.current_state``)."""
    files = parts.files(record)
    network = NetworkState.read(files.network) if state.alive else NetworkState({}, {})
    # as with dockerd, a container that never ran has no files
    has_run = state.started_at != ZERO_TIME
    has_own = state.alive and not record.host_config.network_mode.startswith("container:")
    return ContainerInspect(
        id=record.id,
        created=record.created_at,
        path=record.path,
        args=record.args,
        state=ContainerState(
            status=state.status,
            running=state.alive,
            paused=state.status == "paused",
            restarting=state.status == "restarting",
            oom_killed=state.oom_killed,
            pid=state.pid if state.alive else 0,
            exit_code=state.exit_code,
            error=state.error,
            started_at=state.started_at,
            finished_at=state.finished_at,
            health=health.read(record, files) or msgspec.UNSET,
        ),
        image=record.image_id,
        resolv_conf_path=str(files.resolv_conf) if has_run else "",
        hostname_path=str(files.hostname) if has_run else "",
        hosts_path=str(files.hosts) if has_run else "",
        log_path=str(files.log) if has_run and record.host_config.log_config.type == "json-file" else "",
        name=f"/{record.name}",
        restart_count=state.restart_count,
        host_config=_host_to_show(parts, record),
        mounts=mounts(record),
        app_armor_profile=_apparmor_profile(files) if state.alive and apparmor.enabled() else _requested_profile(record),
        config=_config_to_show(record),
        exec_ids=_exec_ids(parts, record, state),
        network_settings=NetworkSettings(
            sandbox_id=record.id if has_own else "",
            sandbox_key=f"/proc/{state.pid}/ns/net" if has_own else "",
            ports=wire.ports_to_show(network.ports),
            networks=endpoints(record, state, network, parts.store.network_ids),
        ),
    )


def _exec_ids(parts: Parts, record: ContainerRecord, state: State) -> list[str] | None:
    """The ids of the execs that have not ended; None without one, as with Docker."""
    # the module is imported after a look for records, since few containers have execs
    if not state.alive or not any(parts.files(record).execs.glob("*.json")):
        return None
    from moby_tui.engine.containers import execs

    return execs.unfinished(parts, record, state) or None


def _config_to_show(record: ContainerRecord) -> ContainerConfig:
    """The configuration, with the hardware address that the request has for the container's first network."""
    requested = (record.networking and record.networking.endpoints_config) or {}
    endpoint = requested.get(record.host_config.network_mode)
    shown = wire.config_to_show(record.config)
    return msgspec.structs.replace(shown, mac_address=shown.mac_address or (endpoint.mac_address if endpoint else ""))


def _host_to_show(parts: Parts, record: ContainerRecord) -> HostConfig:
    """The host configuration with the masked and read-only paths that follow from the security options; null for a privileged container."""
    host = record.host_config
    masked, read_only = security.covered_paths(host, security.parse_options(host.security_opt))
    shown = msgspec.structs.replace(wire.host_to_show(host), console_size=host.console_size or [0, 0])
    if not host.privileged:
        shown.masked_paths, shown.readonly_paths = masked, read_only
    if host.links:
        from moby_tui.engine.containers import links  # imported here, since few containers have links

        shown.links = links.shown(parts, record)
    return shown


class _Confined(msgspec.Struct):
    apparmor: str = msgspec.field(default="unconfined", name="apparmorProfile")


class _Configuration(msgspec.Struct):
    """The one field that is read of the OCI configuration of a running container."""

    process: _Confined


def _requested_profile(record: ContainerRecord) -> str:
    """The value of ``--security-opt apparmor=``; empty without one."""
    return security.parse_options(record.host_config.security_opt).apparmor or ""


def _apparmor_profile(files: ContainerPaths) -> str:
    """The AppArmor profile in the OCI configuration of a running container; empty if that is missing or damaged."""
    with suppress(FileNotFoundError, msgspec.DecodeError):
        return msgspec.json.decode(files.bundle.read_bytes(), type=_Configuration).process.apparmor or "unconfined"
    return ""
