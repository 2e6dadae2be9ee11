"""Networks."""

from __future__ import annotations

from moby_tui.cli.table.declare import (
    Argument,
    Command,
    FormatOptions,
    Noun,
    Options,
    PruneOptions,
    dry_run,
    json_format,
    many,
    switch,
    table_format,
    value,
)


class NetworkConnectOptions(Options):
    alias: list[str] = many("--alias", help="Add network-scoped alias for the container", metavar="strings")
    driver_opt: list[str] = many("--driver-opt", help="driver options for the network", metavar="strings")
    gw_priority: int = value("--gw-priority", help="Highest gw-priority provides the default gateway", default=0, metavar="int")
    ip: str = value("--ip", help='IPv4 address (e.g., "172.30.100.104")', metavar="ip")
    ip6: str = value("--ip6", help='IPv6 address (e.g., "2001:db8::33")', metavar="ip")
    link: list[str] = many("--link", help="Add link to another container", completes="running containers")
    link_local_ip: list[str] = many("--link-local-ip", help="Add a link-local address for the container", metavar="strings")


class NetworkCreateOptions(Options):
    attachable: bool = switch("--attachable", help="Enable manual container attachment")
    aux_address: list[str] = many("--aux-address", help="Auxiliary IPv4 or IPv6 addresses used by the driver", metavar="map")
    config_from: str = value("--config-from", help="The network from which to copy the configuration", completes="networks")
    config_only: bool = switch("--config-only", help="Create a configuration only network")
    driver: str = value(
        "-d", "--driver", help="Driver to manage the Network", default="bridge", completes="bridge|ipvlan|macvlan"
    )
    gateway: list[str] = many("--gateway", help="IPv4 or IPv6 Gateway for the master subnet", metavar="ipSlice")
    ingress: bool = switch("--ingress", help="Create a routing-mesh network of a cluster: refused, there are none here")
    internal: bool = switch("--internal", help="Restrict external access to the network")
    ip_range: list[str] = many("--ip-range", help="Allocate container ip from a sub-range", metavar="strings")
    ipam_driver: str = value("--ipam-driver", help="IP Address Management Driver", default="default")
    ipam_opt: list[str] = many("--ipam-opt", help="Set IPAM driver specific options", metavar="map")
    ipv4: bool | None = switch("--ipv4/--no-ipv4", help="Enable or disable IPv4 address assignment", default=None)
    ipv6: bool | None = switch("--ipv6/--no-ipv6", help="Enable or disable IPv6 address assignment", default=None)
    label: list[str] = many("--label", help="Set metadata on a network")
    opt: list[str] = many("-o", "--opt", help="Set driver specific options", metavar="map")
    scope: str = value("--scope", help="Control the network's scope: local")
    subnet: list[str] = many("--subnet", help="Subnet in CIDR format that represents a network segment", metavar="strings")


class NetworkDisconnectOptions(Options):
    force: bool = switch("-f", "--force", help="Force the container to disconnect from a network")


class NetworkLsOptions(Options):
    filter: list[str] = many("-f", "--filter", help='Provide filter values (e.g. "driver=bridge")', metavar="filter")
    format: str = table_format()
    no_trunc: bool = switch("--no-trunc", help="Do not truncate the output")
    quiet: bool = switch("-q", "--quiet", help="Only display network IDs")


class NetworkRmOptions(Options):
    force: bool = switch("-f", "--force", help="Do not error if the network does not exist")
    dry_run: bool = dry_run()


class NetworkDoctorOptions(Options):
    format: str = json_format()


class NetworkExposureOptions(Options):
    format: str = table_format()


class NetworkShapeOptions(Options):
    network: str = value("--network", help="Only what is sent into this network  [default: each]", completes="networks")
    delay: str = value("--delay", help="Delay each packet (50ms)", metavar="time")
    jitter: str = value("--jitter", help="Vary the delay by so much (10ms)", metavar="time")
    loss: str = value("--loss", help="Lose so many packets (1%)", metavar="percent")
    rate: str = value("--rate", help="Send no faster (10mbit)", metavar="rate")
    clear: bool = switch("--clear", help="Undo it")
    format: str = table_format()


class NetworkInspectOptions(FormatOptions):
    verbose: bool = switch("-v", "--verbose", help="Verbose output for diagnostics: an engine in a cluster tells its services")


NETWORK = Noun(
    "network",
    "Manage networks",
    Command(
        "connect",
        "networks:connect",
        NetworkConnectOptions,
        Argument("network", "NETWORK", completes="networks"),
        Argument("container", "CONTAINER", completes="containers"),
        help="Connect a container to a network.",
        examples=(
            "moby network connect --alias db back postgres",
            "moby network connect --ip 10.5.0.9 back web",
        ),
    ),
    Command(
        "create",
        "networks:create",
        NetworkCreateOptions,
        Argument("name", "NETWORK"),
        help="Create a network.",
        examples=(
            "moby network create back",
            "moby network create --subnet 10.5.0.0/24 --gateway 10.5.0.1 --internal back",
            "moby network create --config-only --subnet 10.6.0.0/24 -o com.docker.network.driver.mtu=1400 plan",
            "moby network create --config-from plan back",
        ),
    ),
    Command(
        "disconnect",
        "networks:disconnect",
        NetworkDisconnectOptions,
        Argument("network", "NETWORK", completes="networks"),
        Argument("container", "CONTAINER", completes="containers"),
        help="Disconnect a container from a network.",
        examples=("moby network disconnect back web",),
    ),
    Command(
        "doctor",
        "traffic:doctor",
        NetworkDoctorOptions,
        help="Tell what blocks or breaks the traffic of containers on this host, and what to do.",
        about=(
            "One line for each finding. The exit code is 1 if there is an error, 0 if there is none or a warning "
            "only. Nothing is changed."
        ),
        examples=(
            "moby network doctor",
            "moby network doctor --format json",
        ),
    ),
    Command(
        "exposure",
        "traffic:exposure",
        NetworkExposureOptions,
        help="List every port that is reachable from outside of the host, and why.",
        about=(
            "'any' is a container whose every port is reachable and that listens on none just now. Rules of your own and "
            "the host's other firewall are not looked at."
        ),
        examples=(
            "moby network exposure",
            "moby network exposure --format '{{.Address}}:{{.Port}} {{.Container}}: {{.Reason}}'",
        ),
    ),
    Command(
        "inspect",
        "inspect:network",
        NetworkInspectOptions,
        Argument("names", "NETWORK...", many=True, completes="networks"),
        help="Display detailed information on one or more networks.",
        examples=(
            "moby network inspect back",
            "moby network inspect -f '{{range .Containers}}{{.Name}} {{end}}' back",
        ),
    ),
    Command(
        "ls",
        "networks:ls",
        NetworkLsOptions,
        help="List networks.",
        examples=(
            "moby network ls",
            "moby network ls --filter driver=bridge -q",
        ),
        aliases=("list",),
    ),
    Command(
        "prune",
        "prune:network",
        PruneOptions,
        help="Remove all unused networks.",
        examples=(
            "moby network prune --dry-run",
            "moby network prune --force",
        ),
        destroys=True,
    ),
    Command(
        "rm",
        "networks:rm",
        NetworkRmOptions,
        Argument("networks", "NETWORK...", many=True, completes="own networks"),
        help="Remove one or more networks.",
        examples=("moby network rm back",),
        aliases=("remove",),
        destroys=True,
    ),
    Command(
        "shape",
        "traffic:shape",
        NetworkShapeOptions,
        Argument("container", "CONTAINER", completes="live containers"),
        help="Delay, lose or limit what a running container sends, or show how it is treated.",
        about=(
            "It replaces what was asked for before, and ends with the container. Times are in us, ms, s; rates in bit, "
            "kbit, mbit, gbit, or bytes: bps, kbps, mbps, gbps."
        ),
        examples=(
            "moby network shape --delay 50ms --jitter 10ms --loss 1% web",
            "moby network shape --network front --rate 10mbit web",
            "moby network shape web",
            "moby network shape --clear web",
        ),
    ),
)
