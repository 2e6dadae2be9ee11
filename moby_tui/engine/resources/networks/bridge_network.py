"""A container's place on the bridge network: its ports, address, wire and firewall entries, made together or not at all."""

from __future__ import annotations

import errno
from collections.abc import Callable
from ipaddress import IPv4Network

from moby_tui.engine.kernel import fault
from moby_tui.engine.kernel.netlink import NETLINK_NETFILTER, NETLINK_ROUTE
from moby_tui.engine.kernel.rtnetlink import delete_link
from moby_tui.engine.resources.networks import addresses
from moby_tui.engine.resources.networks.bridge import Bridge
from moby_tui.engine.resources.networks.firewall import Firewall, Publication
from moby_tui.engine.resources.networks.ports import BoundPort, PortRequest, bind_ports, port_settings
from moby_tui.engine.resources.networks.sandbox import Folders, Record, Sandbox, Teardown
from moby_tui.errors import MobyError
from moby_tui.schema.container import EndpointSettings


class BridgeNetwork:
    """The default network of one engine. Blocks; call it on a thread."""

    def __init__(self, folders: Folders, subnet: IPv4Network, *, bridge: str, table: str) -> None:
        self._folders = folders
        self._subnet = subnet
        self._firewall = Firewall(table, bridge, subnet)
        self._bridge = Bridge(bridge, subnet, self._firewall, folders.lock)

    def attach(self, container_id: str, mac: bytes | None, wanted: list[PortRequest], create: Callable[[], int]) -> Sandbox:
        """Ports first, as they are what most often fails, and nothing has been changed then. Raises ``MobyError``.

        ``create`` makes a namespace with its loopback up, or hands one over.
        """
        record = self._folders.claim(container_id)
        prepared = Sandbox(keep_fds=[record.descriptor], teardown=[{"unlink": str(record.path)}])
        try:
            fault.point("network.record claimed")
            bound = bind_ports(wanted)
            fault.point("network.ports bound")
            prepared.ports = port_settings(bound)
            prepared.keep_fds += [port.socket.detach() for port in bound]
            prepared.teardown = _closing(bound) + prepared.teardown
            self._connect(prepared, record, container_id, mac, bound, create)
        except BaseException as error:
            prepared.release()
            if isinstance(error, OSError):
                raise MobyError(
                    f"cannot connect the container to network bridge: {(error.strerror or str(error)).lower()}"
                ) from error
            raise
        return prepared

    def _connect(
        self,
        prepared: Sandbox,
        record: Record,
        container_id: str,
        mac: bytes | None,
        bound: list[BoundPort],
        create: Callable[[], int],
    ) -> None:
        self._bridge.ensure(self._folders.published)
        fault.point("network.bridge there")
        address = addresses.lease(self._folders.leases, self._subnet, container_id)
        fault.point("network.address leased")
        lease = {"unlink": str(self._folders.leases / str(address))}
        mac = mac or addresses.mac_of(address)
        veth = f"veth{container_id[:10]}"
        publications = [Publication(p.protocol, p.host, p.host_port, address, p.container_port) for p in bound]
        prepared.teardown = [*self._disconnecting(veth, publications), *_closing(bound), lease, {"unlink": str(record.path)}]
        record.write(prepared.teardown, self._firewall.publishing(publications))
        fault.point("network.record written")
        prepared.netns_fd = create()
        fault.point("network.namespace made")
        self._bridge.wire(prepared.netns_fd, veth, address, mac)
        fault.point("network.wired")
        if publications:
            self._publish(publications)
            fault.point("network.published")
        prepared.endpoints["bridge"] = EndpointSettings(
            mac_address=mac.hex(":"),
            gateway=str(addresses.gateway(self._subnet)),
            ip_address=str(address),
            ip_prefix_len=self._subnet.prefixlen,
        )

    def _publish(self, publications: list[Publication]) -> None:
        """An entry in the way is left over from a container whose monitor was killed, as the ports are ours."""
        try:
            self._firewall.publish(publications)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.EBUSY):
                raise
            self._folders.reconcile()
            self._firewall.drop(publications)
            self._firewall.publish(publications)

    def _disconnecting(self, veth: str, publications: list[Publication]) -> Teardown:
        steps: Teardown = [{"netlink": NETLINK_ROUTE, "data": delete_link(veth).hex()}]
        if publications:
            steps.insert(0, {"netlink": NETLINK_NETFILTER, "data": self._firewall.withdrawing(publications).hex()})
        return steps


def _closing(bound: list[BoundPort]) -> Teardown:
    """Closes the sockets, which stand behind the record in ``keep_fds``: only then may the ports be found free."""
    return [{"close": position} for position in range(1, len(bound) + 1)]
