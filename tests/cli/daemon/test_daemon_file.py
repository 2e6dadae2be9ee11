"""``moby daemon`` and its ``daemon.json``: what is refused, in dockerd 28.5's words; what the engine has of it; SIGHUP."""

from __future__ import annotations

import json
import re
import select
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from moby_tui.cli import app, session
from moby_tui.cli.commands.system import daemon
from moby_tui.cli.daemon import configuration
from moby_tui.cli.daemon.configuration import DaemonConfiguration
from moby_tui.cli.daemon.directives import DIRECTIVES, ONLY, REFUSED
from moby_tui.cli.quick import Line
from moby_tui.cli.table.daemon import DaemonOptions
from moby_tui.engine import system
from moby_tui.engine.resources.images.registry.hosts import proxy_for
from moby_tui.engine_options import CacheBounds, EngineOptions
from moby_tui.errors import MobyError, NotImplementedYet

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "daemon.json"


def read(file: Path, text: str, line: str = "", given: session.Session | None = None) -> DaemonConfiguration:
    file.write_text(text)
    options = DaemonOptions(**Line(DaemonOptions, line.split(), interspersed=True).chosen)
    options.config_file = str(file)
    return configuration.read(options, given or session.Session())


#: Of each directive a flag, a value in the file, and what the configuration then has.
SAME = [
    ("--host unix:///x", "hosts", ["unix:///x"], ("unix:///x",)),
    ("--group root", "group", "root", "root"),
    ("--shutdown-timeout 3", "shutdown-timeout", 3, 3),
    ("--tls", "tls", True, True),
    ("--tlsverify", "tlsverify", True, True),
    ("--tlscacert /a", "tlscacert", "/a", "/a"),
    ("--tlscert /a", "tlscert", "/a", "/a"),
    ("--tlskey /a", "tlskey", "/a", "/a"),
    ("--allowed-host a", "allowed-hosts", ["a"], ("a",)),
    (
        "--http-proxy http://p:1 --no-proxy a,b",
        "proxies",
        {"http-proxy": "http://p:1", "no-proxy": "a,b"},
        {"http-proxy": "http://p:1", "no-proxy": "a,b"},
    ),
    ("--data-root /d", "data-root", "/d", Path("/d")),
    ("--exec-root /r", "exec-root", "/r", Path("/r")),
    ("--debug", "debug", True, True),
    ("--label a=b --label c=", "labels", ["a=b", "c="], ("a=b", "c=")),
    ("--no-live-restore", "live-restore", False, False),
    ("--add-runtime x=/bin/true", "runtimes", {"x": {"path": "/bin/true"}}, {"x": "/bin/true"}),
    ("--default-runtime /bin/true", "default-runtime", "/bin/true", "/bin/true"),
    ("--userns-remap default", "userns-remap", "default", "default"),
    ("--registry-mirror https://m", "registry-mirrors", ["https://m"], ("https://m",)),
    ("--insecure-registry r:5", "insecure-registries", ["r:5"], ("r:5",)),
    ("--max-concurrent-downloads 7", "max-concurrent-downloads", 7, 7),
    ("--max-concurrent-uploads 7", "max-concurrent-uploads", 7, 7),
    ("--max-download-attempts 7", "max-download-attempts", 7, 7),
    ("--log-driver local", "log-driver", "local", "local"),
    (
        "--log-opt max-size=1m --log-opt max-file=2",
        "log-opts",
        {"max-size": "1m", "max-file": "2"},
        {"max-size": "1m", "max-file": "2"},
    ),
    ("--history-size 5m", "history-size", "5M", 5 << 20),
    ("--history-days 3", "history-days", 3, 3),
    ("--history-interval 30", "history-interval", 30, 30),
    ("--dns 9.9.9.9", "dns", ["9.9.9.9"], ("9.9.9.9",)),
    ("--dns-search x.test", "dns-search", ["x.test"], ("x.test",)),
    ("--dns-opt ndots:2", "dns-opts", ["ndots:2"], ("ndots:2",)),
    ("--default-address-pool base=10.9.0.0/16,size=24", "default-address-pools", [{"base": "10.9.0.0/16", "size": 24}], None),
    ("--log-level warn", "log-level", "warn", "warn"),
    ("--pidfile /p", "pidfile", "/p", "/p"),
    ("--default-network-opt bridge=a=b=c", "default-network-opts", {"bridge": {"a": "b=c"}}, {"bridge": {"a": "b=c"}}),
    ("--host-gateway-ip 10.9.0.1", "host-gateway-ips", ["10.9.0.1"], ("10.9.0.1",)),
    ("--bip 10.9.0.1/24", "bip", "10.9.0.1/24", "10.9.0.1/24"),
    ("--ipv6 --bip6 fd09::1/64", "bip6", "fd09::1/64", "fd09::1/64"),
    ("--fixed-cidr 10.9.0.0/25", "fixed-cidr", "10.9.0.0/25", "10.9.0.0/25"),
    ("--ipv6 --fixed-cidr-v6 fd09::/80", "fixed-cidr-v6", "fd09::/80", "fd09::/80"),
    ("--bip 10.9.0.1/24 --default-gateway 10.9.0.9", "default-gateway", "10.9.0.9", "10.9.0.9"),
    ("--ipv6 --bip6 fd09::1/64 --default-gateway-v6 fd09::9", "default-gateway-v6", "fd09::9", "fd09::9"),
    ("--mtu 1300", "mtu", 1300, 1300),
    ("--no-icc", "icc", False, False),
    ("--ip 127.0.0.1", "ip", "127.0.0.1", "127.0.0.1"),
    ("--ip-masq=false", "ip-masq", False, False),
    ("--ipv6", "ipv6", True, True),
    ("--default-ulimit nofile=8:9", "default-ulimits", {"nofile": {"Name": "nofile", "Soft": 8, "Hard": 9}}, None),
    ("--default-shm-size 10m", "default-shm-size", "10M", 10 << 20),
    ("--default-ipc-mode shareable", "default-ipc-mode", "shareable", "shareable"),
    ("--default-cgroupns-mode host", "default-cgroupns-mode", "host", "host"),
    ("--cgroup-parent up", "cgroup-parent", "up", "up"),
    ("--init", "init", True, True),
    ("--no-new-privileges", "no-new-privileges", True, True),
    ("--seccomp-profile unconfined", "seccomp-profile", "unconfined", "unconfined"),
]


@pytest.mark.parametrize(("flag", "key", "value", "expected"), SAME, ids=[row[1] for row in SAME])
def test_a_flag_and_its_key_say_the_same(file: Path, flag: str, key: str, value: Any, expected: Any) -> None:
    field = DIRECTIVES[key].field
    beside: dict[str, object] = {"ipv6": True} if key in ("bip6", "fixed-cidr-v6") else {}
    beside |= {"bip": "10.9.0.1/24"} if key == "default-gateway" else {}
    beside |= {"ipv6": True, "bip6": "fd09::1/64"} if key == "default-gateway-v6" else {}
    found = [read(file, "{}", flag), read(file, json.dumps({key: value, **beside}))]
    held = [getattr(one if hasattr(one, field) else one.engine, field) for one in found]
    assert held[0] == held[1] and (expected is None or held[0] == expected)
    assert held[0] != getattr(
        DaemonConfiguration(engine=EngineOptions(), file=file), field, getattr(EngineOptions(), field, None)
    )
    if key != "runtimes":
        with pytest.raises(
            MobyError, match=rf"specified both as a flag and in the configuration file: {key}: \(from flag: .*, from file: "
        ):
            read(file, json.dumps({key: value}), flag)


def test_every_directive_is_tried() -> None:
    assert {key for _, key, _, _ in SAME} == set(DIRECTIVES) - {"builder"}
    assert not DIRECTIVES.keys() & (ONLY.keys() | REFUSED.keys()) and not ONLY.keys() & REFUSED.keys()


def test_the_bounds_of_the_build_cache(file: Path) -> None:
    """As Docker Desktop writes them; dockerd has no flag for them."""
    given = {"builder": {"gc": {"defaultKeepStorage": "20GB", "enabled": True}}, "experimental": False}
    assert read(file, json.dumps(given)).engine.builder == CacheBounds(reserved=20 << 30)
    gc = {
        "enabled": False,
        "defaultReservedSpace": "1GB",
        "defaultMaxUsedSpace": "2GB",
        "defaultMinFreeSpace": "3GB",
        "policy": [],
    }
    bounds = CacheBounds(enabled=False, reserved=1 << 30, most=2 << 30, free=3 << 30)
    assert read(file, json.dumps({"builder": {"gc": gc}})).engine.builder == bounds


MERGED = "merged configuration validation from file and command line flags failed: "
TWO = "debug: (from flag: true, from file: true), labels: (from flag: [c=d], from file: [a=b])"
MAPS = "log-opts: (from flag: [max-file=3], from file: map[max-size:1m])"
BOTH = "the following directives are specified both as a flag and in the configuration file: "


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ('{"foo": 1, "bar": 2}', "", "the following directives don't match any configuration option: bar, foo"),
        ('{"Debug": true}', "", "the following directives don't match any configuration option: Debug"),
        ('{"label": []}', "", "the following directives don't match any configuration option: label; the key for --label is labels"),
        ('{"debug": true, "labels": ["a=b"]}', "-D --label c=d", BOTH + TWO),
        ('{"log-opts": {"max-size": "1m"}}', "--log-opt max-file=3", BOTH + MAPS),
        ('{"labels": ["a"]}', "", MERGED + "bad attribute format: a"),
        ('{"labels": ["a=b", "a=c"]}', "", MERGED + "conflict labels for a=c and a=b"),
        ('{"registry-mirrors": ["foo"]}', "", MERGED + "invalid mirror: no scheme specified for \"foo\": must use either 'https://' or 'http://'"),
        ('{"registry-mirrors": ["https://a?x=1"]}', "", MERGED + 'invalid mirror: query or fragment at end of the URI "https://a?x=1"'),
        ('{"registry-mirrors": ["https://u:p@a"]}', "", MERGED + 'invalid mirror: username/password not allowed in URI "https://a"'),
        ('{"max-concurrent-downloads": -1}', "", MERGED + "invalid max concurrent downloads: -1"),
        ('{"max-download-attempts": 0}', "", MERGED + "invalid max download attempts: 0"),
        ('{"dns": ["x"]}', "", MERGED + "invalid IP address: x"),
        ('{"dns-search": ["a..b"]}', "", MERGED + "a..b is not a valid domain"),
        ('{"default-ipc-mode": "x"}', "", MERGED + 'default IPC mode setting (x) is invalid; use "shareable" or "private"'),
        ('{"default-cgroupns-mode": "x"}', "", MERGED + 'invalid default cgroup namespace (x): use "host" or "private"'),
        ('{"log-level": "x"}', "", MERGED + "invalid logging level: x"),
        ('{"host-gateway-ips": ["x"]}', "", MERGED + 'ParseAddr("x"): unable to parse IP'),
        ('{"host-gateway-ips": ["10.9.0.1", "10.9.0.2"]}', "", MERGED + "only one IPv4 host gateway IP address can be specified"),
        ('{"default-network-opts": {"bridge": "x"}}', "", "invalid JSON: default-network-opts takes an object like"),
        ('{"default-gateway": "10.9.0.9"}', "", MERGED + "default-gateway 10.9.0.9 is in no subnet of the default bridge: set bip, too"),
        ('{"mtu": -1}', "", MERGED + "invalid default MTU: -1"),
        ('{"mtu": 9}', "", MERGED + "failed to parse com.docker.network.driver.mtu value: 9 (expected 68 to 65535)"),
        ('{"ip": "x"}', "", MERGED + "invalid IP address: x"),
        ('{"bip": "x"}', "", MERGED + "parse bip failed: invalid CIDR address: x"),
        ('{"bip": "10.9.0.0/24"}', "", MERGED + "bip 10.9.0.0/24 is the address of a network"),
        ('{"bip": "fd00::1/64"}', "", MERGED + "parse bip failed: invalid CIDR address: fd00::1/64"),
        ('{"bip": "10.9.0.1/24", "fixed-cidr": "10.8.0.0/24"}', "", MERGED + "fixed-cidr 10.8.0.0/24 is not within bip 10.9.0.1/24"),
        ('{"fixed-cidr-v6": "fd00::/80"}', "", MERGED + "fixed-cidr-v6 needs ipv6"),
        ('{"log-driver": "x"}', "", MERGED + "error looking up logging plugin x: plugin \"x\" not found"),
        ('{"seccomp-profile": "/nowhere"}', "", MERGED + "opening seccomp profile (/nowhere) failed: "),
        ('{"debug": "yes"}', "", 'invalid JSON: debug takes true or false, not "yes"'),
        ('{"max-concurrent-downloads": true}', "", "invalid JSON: max-concurrent-downloads takes a number, not true"),
        ('{"labels": "x"}', "", 'invalid JSON: labels takes a list of texts, not "x"'),
        ('{"log-opts": {"a": 1}}', "", 'invalid JSON: log-opts takes an object of texts, not {"a": 1}'),
        ('{"default-ulimits": ["nofile=3"]}', "", "invalid JSON: default-ulimits takes an object like"),
        ('{"default-shm-size": 64}', "", 'invalid JSON: default-shm-size takes a size as text, like "64M", not 64'),
        ('{"default-address-pools": [{"base": "10.0.0.0/8"}]}', "", "invalid JSON: default-address-pools takes a list like"),
        ('{"runtimes": {"a": {"path": "/bin/true", "runtimeArgs": ["x"]}}}', "", "runtimeArgs of runtime a is not implemented yet"),
        ('{"storage-driver": "btrfs"}', "", 'storage-driver other than "overlay2" is not implemented yet'),
        *((json.dumps({key: "x"}), "", f"{key} cannot be set: {reason}") for key, reason in REFUSED.items()),
        ('{"iptables": false}', "", "iptables other than true is not implemented yet"),
        ('{"builder": {"gc": {"policy": [{"all": true}]}}}', "", "policy of builder.gc (its bounds are defaultKeepStorage, "),
        ('{"builder": {"entitlements": {"network-host": false}}}', "", "entitlements of builder is not implemented yet"),
        ('{"builder": {"gc": {"enabled": 1}}}', "", "invalid JSON: builder takes an object like"),
        ('{"features": {"buildkit": false}}', "", 'features other than {"buildkit": true} or '),
        ('{"proxies": {"ftp-proxy": "x"}}', "", "invalid JSON: proxies: ftp-proxy is none of http-proxy, https-proxy and no-proxy"),
        ('{"proxies": {"http-proxy": 1}}', "", "invalid JSON: proxies takes an object like"),
        ("[1]", "", "invalid JSON: the file must hold one object"),
        ('{"a":', "", "invalid JSON: "),
        ("[" * 100_000, "", "invalid JSON: "),
        ("\0", "", "invalid JSON: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_line(file: Path, text: str, line: str, told: str) -> None:
    with pytest.raises(MobyError) as caught:
        read(file, text, line)
    message = caught.value.message
    assert message.startswith(f"unable to configure the Docker daemon with file {file}: {told}") and "\n" not in message


def test_what_may_be_said_although_nothing_else_can_be(file: Path) -> None:
    for number in range(max(map(len, ONLY.values()))):
        document = {key: values[min(number, len(values) - 1)] for key, values in ONLY.items()}
        assert read(file, json.dumps({**document, "debug": None})).engine == EngineOptions()
    flags = "-s overlay2 --exec-opt native.cgroupdriver=cgroupfs --iptables --ip-forward=true --userland-proxy=false --experimental=false"
    assert read(file, "{}", f"{flags} --feature containerd-snapshotter=false --log-format text").engine == EngineOptions()
    for flag in ("-s btrfs", "--iptables=false", "--exec-opt native.cgroupdriver=systemd", "--feature buildkit=false"):
        with pytest.raises(NotImplementedYet):
            read(file, "{}", flag)
    assert read(file, "").engine == EngineOptions()


def test_options_before_the_command_are_flags_and_variables_are_not(file: Path) -> None:
    def given(*preset: str) -> session.Session:
        return session.Session("unix:///g", debug=True, engine=lambda: EngineOptions(data_root=Path("/g")), preset=preset)

    found = read(file, "{}", given=given())
    assert (found.engine.data_root, found.engine.debug, found.hosts) == (Path("/g"), True, ("unix:///g",))
    assert read(file, "{}", "--data-root /o --host unix:///o", given()).hosts == ("unix:///o",)
    with pytest.raises(MobyError, match=re.escape(BOTH + "data-root: (from flag: /g, from file: /f)")):
        read(file, '{"data-root": "/f"}', given=given())
    assert read(file, '{"data-root": "/f"}', given=given("data_root")).engine.data_root == Path("/f")


def test_validate_says_yes_or_no_and_serves_nothing(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("{}")
    assert app.run(["daemon", "--config-file", str(file), "--validate"]) == 0
    assert capsys.readouterr() == ("", "configuration OK\n")
    assert app.run(["daemon", "--config-file", f"{file}.not", "--validate"]) == 1
    missing = f"unable to configure the Docker daemon with file {file}.not: open {file}.not: no such file or directory"
    assert capsys.readouterr().err == f"moby: {missing}\n"


def test_the_engine_of_a_daemon_has_what_its_file_says_and_reads_it_again(
    box: Cli, begin: Callable[..., subprocess.Popen[bytes]], file: Path, tmp_path: Path
) -> None:
    socket = tmp_path / "s"
    started = {
        "hosts": [f"unix://{socket}"],
        "labels": ["a=b"],
        "log-driver": "local",
        "log-opts": {"max-size": "2m"},
        "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 800, "Hard": 900}},
        "default-shm-size": "10M",
        "dns": ["192.0.2.1"],
        "bip": "10.92.7.1/24",
        "default-network-opts": {"bridge": {"com.docker.network.driver.mtu": "1280"}},
        "host-gateway-ips": ["192.0.2.9"],
        "pidfile": f"{tmp_path}/pid",
        "dns-search": ["x.test"],
        "init": True,
        "no-new-privileges": True,
    }
    file.write_text(json.dumps(started))
    log = (tmp_path / "log").open("wb")
    daemon = begin("daemon", "--config-file", str(file), stderr=log)
    assert daemon.stdout is not None and b"API listening" in daemon.stdout.readline()
    there = ("-H", f"unix://{socket}")

    def info() -> dict[str, Any]:
        return dict(json.loads(box(*there, "info", "--format", "json").stdout))

    bridge = json.loads(box(*there, "network", "inspect", "bridge").stdout)[0]
    assert bridge["IPAM"]["Config"] == [{"Subnet": "10.92.7.0/24", "Gateway": "10.92.7.1"}]
    assert (info()["Labels"], info()["LoggingDriver"], info()["Debug"]) == (["a=b"], "local", False)
    script = "ulimit -n; df -k /dev/shm | tail -1 | awk '{print $2}'; cat /etc/resolv.conf /etc/hosts; grep NoNewPrivs /proc/self/status"
    said = box(*there, "run", "--name", "one", "--add-host", "up:host-gateway", "box", "sh", "-c", script).stdout
    assert said.split()[:2] == ["800", "10240"]
    assert "192.0.2.9\tup" in said
    assert (tmp_path / "pid").read_text() == str(daemon.pid)
    again = box("daemon", "--pidfile", f"{tmp_path}/pid", "-H", f"unix://{tmp_path}/t", check=False)
    told = f"ensure docker is not running or delete {tmp_path}/pid: process with PID {daemon.pid} is still running"
    assert again.stderr == f"moby: failed to start daemon, {told}\n"
    box(*there, "network", "create", "front")
    assert json.loads(box(*there, "network", "inspect", "front").stdout)[0]["Options"] == {
        "com.docker.network.driver.mtu": "1280"
    }
    box(*there, "network", "rm", "front")
    assert "nameserver 192.0.2.1" in said and "search x.test" in said and "NoNewPrivs:\t1" in said
    host = json.loads(box(*there, "inspect", "one").stdout)[0]["HostConfig"]
    assert host["LogConfig"] == {"Type": "local", "Config": {"max-size": "2m"}} and host["Init"] is True
    box(*there, "create", "--name", "own", "--log-driver", "json-file", "--ulimit", "nofile=7", "--shm-size", "1m", "box", "true")
    host = json.loads(box(*there, "inspect", "own").stdout)[0]["HostConfig"]
    assert host["LogConfig"]["Type"] == "json-file" and not host["LogConfig"]["Config"] and host["ShmSize"] == 1 << 20
    assert [limit["Soft"] for limit in host["Ulimits"]] == [7]

    events = begin(*there, "events", "--filter", "type=daemon", "--format", "json")
    assert events.stdout is not None
    reload = {**started, "labels": ["c=d"], "debug": True, "max-concurrent-downloads": 1, "registry-mirrors": ["https://m.test"]}
    file.write_text(
        json.dumps(reload | {"runtimes": {"mine": {"path": "/bin/true"}}, "default-runtime": "mine", "log-driver": "none"})
    )
    while events.poll() is None:
        # the first signal may come before the reader of the events has been let in
        daemon.send_signal(signal.SIGHUP)
        box(*there, "version")
        if select.select([events.stdout], [], [], 0.2)[0]:
            break
    event = json.loads(events.stdout.readline())
    assert (event["Type"], event["Action"], event["Actor"]["ID"]) == ("daemon", "reload", info()["ID"])
    reloaded = {"debug": "true", "labels": '["c=d"]', "max-concurrent-downloads": "1", "registry-mirrors": '["https://m.test"]'}
    assert event["Actor"]["Attributes"].items() >= {**reloaded, "runtimes": "mine:/bin/true", "shutdown-timeout": "15"}.items()
    now = info()
    assert (now["Labels"], now["Debug"], now["DefaultRuntime"], now["Runtimes"]["mine"]["path"]) == (
        ["c=d"],
        True,
        "mine",
        "/bin/true",
    )
    assert now["LoggingDriver"] == "local", "read at the start only"
    assert now["RegistryConfig"]["Mirrors"] == ["https://m.test/"]
    file.write_text('{"nonsense": 1}')
    daemon.send_signal(signal.SIGHUP)
    assert info()["Labels"] == ["c=d"]
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(30) == 0
    assert not (tmp_path / "pid").exists()
    assert "Error reloading configuration: unable to configure the Docker daemon" in (tmp_path / "log").read_text()


def test_proxies_go_before_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.setenv(name, "")
        monkeypatch.setenv(name.upper(), "http://former:1")
    daemon._set_proxies({"https-proxy": "http://me:word@proxy:3128", "no-proxy": "own.test"})
    addresses = ("https://far.test/v2/", "https://own.test/v2/")
    assert [proxy_for(URL(address)) for address in addresses] == ["http://me:word@proxy:3128", None]
    assert [system._proxy(name) for name in ("https_proxy", "http_proxy")] == [
        "http://xxxxx:xxxxx@proxy:3128",
        "http://former:1",
    ]
