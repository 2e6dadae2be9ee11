"""What may be created, what may not, and what is not here yet."""

from __future__ import annotations

import os
from typing import Any

import pytest

from moby_tui.engine.policy import admission
from moby_tui.errors import InvalidArgument, NotImplementedYet
from moby_tui.schema.base import decode
from moby_tui.schema.container import (
    ContainerCreate,
    DeviceMapping,
    HealthConfig,
    HostConfig,
    PortBinding,
    RestartPolicy,
    Ulimit,
)

MB = 1024 * 1024
#: What docker 28 sends for ``docker create busybox true``.
DOCKER_CLI = b"""
{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":true,"AttachStderr":true,"Tty":false,"OpenStdin":false,
"StdinOnce":false,"Env":null,"Cmd":["true"],"Image":"busybox","Volumes":{},"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":{},
"HostConfig":{"Binds":null,"ContainerIDFile":"","LogConfig":{"Type":"","Config":{}},"NetworkMode":"default","PortBindings":{},
"RestartPolicy":{"Name":"no","MaximumRetryCount":0},"AutoRemove":false,"VolumeDriver":"","VolumesFrom":null,"ConsoleSize":[24,80],
"CapAdd":null,"CapDrop":null,"CgroupnsMode":"","Dns":[],"DnsOptions":[],"DnsSearch":[],"ExtraHosts":null,"GroupAdd":null,"IpcMode":"",
"Cgroup":"","Links":null,"OomScoreAdj":0,"PidMode":"","Privileged":false,"PublishAllPorts":false,"ReadonlyRootfs":false,
"SecurityOpt":null,"UTSMode":"","UsernsMode":"","ShmSize":0,"Isolation":"","CpuShares":0,"Memory":0,"NanoCpus":0,"CgroupParent":"",
"BlkioWeight":0,"BlkioWeightDevice":[],"BlkioDeviceReadBps":[],"BlkioDeviceWriteBps":[],"BlkioDeviceReadIOps":[],
"BlkioDeviceWriteIOps":[],"CpuPeriod":0,"CpuQuota":0,"CpuRealtimePeriod":0,"CpuRealtimeRuntime":0,"CpusetCpus":"","CpusetMems":"",
"Devices":[],"DeviceCgroupRules":null,"DeviceRequests":null,"MemoryReservation":0,"MemorySwap":0,"MemorySwappiness":-1,
"OomKillDisable":false,"PidsLimit":0,"Ulimits":[],"CpuCount":0,"CpuPercent":0,"IOMaximumIOps":0,"IOMaximumBandwidth":0,
"MaskedPaths":null,"ReadonlyPaths":null},"NetworkingConfig":{"EndpointsConfig":{"default":{"IPAMConfig":null,"Links":null,"Aliases":null,
"MacAddress":"","DriverOpts":null,"GwPriority":0,"NetworkID":"","EndpointID":"","Gateway":"","IPAddress":"","IPPrefixLen":0}}}}
"""


def check(host: dict[str, Any] | None = None, **config: Any) -> list[str]:
    return admission.check(ContainerCreate(image="busybox", host_config=HostConfig(**(host or {})), **config))[1]


def test_what_the_docker_cli_sends_for_nothing_asks_for_nothing() -> None:
    assert admission.check(decode(DOCKER_CLI, ContainerCreate))[1] == []


def test_everything_that_is_here_passes() -> None:
    host = {
        "memory": 64 * MB,
        "memory_swap": -1,
        "memory_reservation": 32 * MB,
        "cpu_shares": 512,
        "cpu_period": 100000,
        "cpu_quota": 50000,
        "cpuset_cpus": "0",
        "cpuset_mems": "0",
        "pids_limit": -1,
        "oom_score_adj": 500,
        "ulimits": [Ulimit(name="nofile", soft=1024, hard=-1)],
        "group_add": ["audio", "1000"],
        "devices": [DeviceMapping(path_on_host="/dev/fuse", path_in_container="/dev/f", cgroup_permissions="rw")],
        "sysctls": {"net.core.somaxconn": "9", "kernel.shmmax": "1", "fs.mqueue.msg_max": "5"},
        "port_bindings": {"80/tcp": [PortBinding(host_ip="127.0.0.1", host_port="8000-8010")], "53/udp": None},
        "extra_hosts": ["a:10.0.0.1", "b:host-gateway", "c:::1"],
        "dns": ["1.1.1.1", "2606:4700::1111"],
        "ipc_mode": "shareable",
        "pid_mode": "host",
        "restart_policy": RestartPolicy(name="no"),
        "privileged": True,
        "init": False,
    }

    more = {"user": "1000:1000", "working_dir": "/a", "hostname": "web-1.example", "env": ["A=b", "HOME"], "stop_timeout": 3}
    assert check(host, exposed_ports={"80": {}, "1-5/udp": {}}, healthcheck=HealthConfig(test=["NONE"]), **more) == []


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ({"memory": -1}, "memory limit"),
        ({"memory": 5 * MB}, "Minimum memory limit allowed is 6MB"),
        ({"memory": 64 * MB, "memory_swap": 32 * MB}, "Minimum memoryswap limit should be larger"),
        ({"memory_swap": 64 * MB}, "You should always set the Memory limit"),
        ({"memory_swap": -2}, "memory\\+swap"),
        ({"memory_reservation": MB}, "Minimum memory reservation"),
        ({"memory": 32 * MB, "memory_reservation": 64 * MB}, "can not be less than memory reservation"),
        ({"nano_cpus": -1}, "range of CPUs is from 0.01"),
        ({"nano_cpus": ((os.cpu_count() or 1) + 1) * 10**9}, "as there are only"),
        ({"nano_cpus": 10**9, "cpu_quota": 5000}, "Nano CPUs and CPU Quota"),
        ({"nano_cpus": 10**9, "cpu_period": 5000}, "Nano CPUs and CPU Period"),
        ({"cpu_period": 999}, "CPU cfs period"),
        ({"cpu_quota": 999}, "CPU cfs quota"),
        ({"cpu_shares": -1}, "CPU shares"),
        ({"cpuset_cpus": "0-"}, "Invalid value 0- for cpuset cpus"),
        ({"cpuset_cpus": "0-999999"}, "Requested CPUs are not available"),
        ({"cpuset_mems": "77"}, "Requested memory nodes are not available"),
        ({"shm_size": -1}, "SHM size"),
        ({"oom_score_adj": 1001}, "range for oom score adj"),
        ({"ulimits": [Ulimit(name="files", soft=1, hard=1)]}, "invalid ulimit type: files"),
        ({"ulimits": [Ulimit(name="nofile", soft=2, hard=1)]}, "2 > 1"),
        ({"ulimits": [Ulimit(name="nofile", soft=-1, hard=1)]}, "soft limit must be less"),
        ({"group_add": [""]}, "invalid group"),
        ({"devices": [DeviceMapping(path_on_host="dev/x")]}, "not an absolute path"),
        ({"devices": [DeviceMapping(path_on_host="/dev/x", cgroup_permissions="rx")]}, "bad mode specified: rx"),
        ({"sysctls": {"vm.swappiness": "1"}}, "not in a separate kernel namespace"),
        ({"sysctls": {"kernel.shmmax/../../vm/swappiness": "1"}}, "invalid sysctl name"),
        ({"sysctls": {"net/../vm/swappiness": "1"}}, "invalid sysctl name"),
        ({"sysctls": {"kernel.core_pattern": "|/x"}}, "not in a separate kernel namespace"),
        ({"sysctls": {"net.ipv4.ip_forward": "1"}, "network_mode": "host"}, "not allowed in host network namespace"),
        ({"sysctls": {"kernel.sem": "1"}, "ipc_mode": "host"}, "not allowed in host ipc namespace"),
        ({"port_bindings": {"http": None}}, 'invalid port specification: "http"'),
        ({"port_bindings": {"0/tcp": None}}, 'invalid port specification: "0"'),
        ({"port_bindings": {"80": [PortBinding(host_port="70000")]}}, 'invalid port specification: "70000"'),
        ({"port_bindings": {"80": [PortBinding(host_port="9-8")]}}, 'invalid port specification: "9-8"'),
        ({"port_bindings": {"80": [PortBinding(host_ip="localhost")]}}, "invalid host IP address"),
        ({"dns": ["dns.example"]}, "invalid DNS server"),
        ({"extra_hosts": ["a"]}, "bad format for add-host"),
    ],
)
def test_values_that_cannot_be(host: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidArgument, match=text):
        check(host)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"working_dir": "a/b"}, "the working directory 'a/b' is invalid, it needs to be an absolute path"),
        ({"user": "a\0b"}, "NUL byte"),
        ({"hostname": "a" * 65}, "invalid hostname"),
        ({"hostname": "é" * 33}, "invalid hostname"),
        ({"hostname": "a\n127.0.0.1 b"}, "invalid hostname"),
        ({"domainname": "a\tb"}, "invalid domainname"),
        ({"env": ["=x"]}, "invalid environment variable"),
        ({"env": ["A=\0"]}, "NUL byte"),
        ({"cmd": ["a\0b"]}, "NUL byte"),
        ({"exposed_ports": {"80/icmp": {}}}, 'invalid port protocol: "icmp"'),
    ],
)
def test_a_configuration_that_cannot_be(config: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidArgument, match=text):
        check(**config)


def test_an_image_is_needed() -> None:
    with pytest.raises(InvalidArgument, match="no command specified"):
        admission.check(ContainerCreate())
    with pytest.raises(InvalidArgument, match="no image"):
        admission.check(ContainerCreate(cmd=["true"]))


@pytest.mark.parametrize(
    ("host", "option"),
    [
        ({"cgroup": "other"}, "--cgroup"),
    ],
)
def test_what_is_not_here_yet_is_refused_by_its_name(host: dict[str, Any], option: str) -> None:
    with pytest.raises(NotImplementedYet, match=f"option {option} is not implemented yet"):
        check(host)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"test": ["CMD", "true"], "interval": 1000}, "Interval in Healthcheck cannot be less than 1ms"),
        ({"test": ["CMD", "true"], "timeout": -1}, "Timeout in Healthcheck cannot be less than 1ms"),
        ({"test": ["CMD", "true"], "start_period": 5}, "StartPeriod in Healthcheck cannot be less than 1ms"),
        ({"test": ["CMD", "true"], "start_interval": 5}, "StartInterval in Healthcheck cannot be less than 1ms"),
        ({"test": ["CMD", "true"], "retries": -1}, "Retries in Healthcheck cannot be negative"),
    ],
)
def test_a_health_check_that_cannot_be(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        check(healthcheck=HealthConfig(**values))


def test_what_to_do_with_the_unhealthy() -> None:
    for action in ("none", "kill", "restart", "stop"):
        assert check(healthcheck_on_failure_action=action) == []
    with pytest.raises(InvalidArgument, match="use none, kill, restart or stop"):
        check(healthcheck_on_failure_action="pray")
    with pytest.raises(InvalidArgument, match="use none, kill, restart or stop"):
        check({"annotations": {"moby.health-on-failure": "pray"}})


def test_ports_of_the_host_network_are_told_about() -> None:
    assert "discarded" in check({"network_mode": "host", "port_bindings": {"80": [PortBinding()]}})[0]
