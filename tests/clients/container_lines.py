"""Command lines about containers, the options before the command, and pages of help, for ``command_lines``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from clients.command_lines import Family, Step

RECORDED = Path(__file__).parent / "dockerd_28_5_container_lines.json"
_VERBS = (
    *("attach", "commit", "cp", "create", "diff", "events", "exec", "export", "inspect", "kill", "logs", "pause", "port", "ps"),
    *("rename", "restart", "rm", "run", "start", "stats", "stop", "top", "unpause", "update", "wait"),
)
_OF_CONTAINERS = tuple(verb for verb in _VERBS if verb not in ("events", "ps"))


#: Lines that no engine answers, and such as every engine answers alike.
_IN_PROCESS = ("in process",)


def _page(line: str) -> Step:
    return Step(line, is_help=True)


_HELP: list[Step | str] = [
        *(_page(f"{verb} --help") for verb in _VERBS),
        *(_page(f"container {verb} --help") for verb in (*_OF_CONTAINERS, "ls", "prune")),
        *(
            _page(line)
            for line in ("container", "container --help", "container -h", "help container", "help run", "help container run")
        ),
        *(
            _page(line)
            for line in (
                "container help",
                "container help run",
                "container ls -h",
                "ps -h",
                "run --help busybox",
                "ps nosuch --help",
            )
        ),
        *(_page(line) for line in ("--help", "-h", "help", "")),
        Step("help nosuch"),
        Step("help container nosuch"),
        Step("container help nosuch"),
        Step("run -h"),
        _page("--help nosuch"),
        _page("container --help nosuch"),
]  # fmt: skip
_USAGE = [
        *(verb for verb in _VERBS if verb not in ("events", "ps", "stats")),
        *(f"container {verb}" for verb in _OF_CONTAINERS if verb != "stats"),
        *(f"{verb} --nosuch" for verb in _VERBS),
        *("ps extra", "ps extra more", "events extra", "container ls extra", "container prune extra", "rename a", "rename a b c"),
        *("commit a b c", "cp a", "cp a b c", "diff a b", "export a b", "logs a b", "port a b c", "attach a b", "exec a", "create", "run"),
        *("nosuch", "container nosuch", "nosuch --flag", "container nosuch --flag", "--nosuch", "--nosuch ps", "-Z", "-Z ps", "-", "-- ps"),
        *("container --nosuch", "container -Z", "container -Z ls", "pss", "conatiner ls", "container lss", "runn"),
        *("ps -aZ", "ps --all=odd", "ps --all=TRUE", "ps --al", "ps -n", "ps -n odd", "ps --last", "ps --last=", "ps -n 1.5", "ps -l=odd"),
        *("ps ---all", "ps --=x", "ps -=x", "ps -a=true", "ps -a=", "ps --format", "ps -f", "ps --filter"),
        *("stop -t odd x", "stop -t", "stop --time odd x"),
        *("stop -t 1 -t", "restart -t odd x", "stop --timeout=1.5 x", "stop -t 99999999999999999999 x"),
        *("kill -s", "kill --signal", "rm -fZ x", "rm --force=maybe x", "logs --tail", "logs --nosuch x", "logs -n", "logs --since"),
        *("exec -e", "exec --user", "exec -itZ x y", "run -it", "run --name", "run -e", "run --rm=maybe busybox", "run -d=x busybox"),
        *("update x", "update --memory x", "update --memory odd x"),
        *("update --cpus odd x", "update --cpu-shares odd x", "update --pids-limit odd x"),
        *("update --restart odd x", "update --blkio-weight odd x", "update --blkio-weight 70000 x", "update --blkio-weight -1 x"),
        *("update --cpu-period odd x", "update --cpu-rt-period odd x"),
        *("update --memory-swap odd x", "update --memory-reservation odd x", "update --cpus 0.00000000001 x"),
        *("inspect --type", "inspect --type odd x", "inspect -f", "inspect --size", "attach --sig-proxy=odd x", "attach --no-stdin=odd x"),
        *("commit --pause=odd x", "commit -c", "cp -a x", "cp --nosuch a b", "events --since", "stats --no-stream=odd", "wait --x y"),
        *("start --attach=odd x", "start --checkpoint", "top -o", "export -o", "port -x y", "container ls --last odd"),
        *("create --help=odd busybox", "ps --help=false extra", "ps --help=odd"),
]  # fmt: skip
OPTIONS = Family(
    "options before the command",
    [
        *("-l odd ps", "--log-level odd ps", "--log-level=debug ps -q", "-l error ps -q", "-D ps -q", "--debug ps -q", "--debug=odd ps"),
        *("--context nosuch ps", "-c nosuch ps", "-c default ps -q", "--context default ps -q", "--context nosuch -H unix:///nosuch ps"),
        *("-H unix:///nosuch.sock ps", "-H tcp://127.0.0.1:1 ps", "-H odd://x ps", "-H tcp:// ps", "-H unix:// ps"),
        *("--host", "-H"),
        *("-H unix:///a -H unix:///b ps", "--config nosuch ps -q", "--config", "--tls=odd ps"),
        *("-H unix:///nosuch.sock run busybox", "-H unix:///nosuch.sock start x y"),
        *("-H unix:///nosuch.sock rm x", "-H unix:///nosuch.sock exec x y"),
        *("-H unix:///nosuch.sock logs x", "-H unix:///nosuch.sock inspect x"),
        *("-H unix:///nosuch.sock cp x:/y .", "-H unix:///nosuch.sock stats"),
        *("-H unix:///nosuch.sock events", "-H unix:///nosuch.sock create busybox"),
        *("-H unix:///nosuch.sock wait x", "-H unix:///nosuch.sock export x"),
        *("-H unix:///nosuch.sock container prune -f", "-H unix:///nosuch.sock attach x"),
        *("-H unix:///nosuch.sock port x", "-H unix:///nosuch.sock top x"),
        Step("ps", environment={"DOCKER_HOST": "unix:///nosuch.sock"}),
        Step("ps", environment={"DOCKER_HOST": "odd://x"}),
        Step("-c nosuch ps", environment={"DOCKER_HOST": "unix:///nosuch.sock"}),
        Step("create busybox", environment={"DOCKER_DEFAULT_PLATFORM": "odd/odd/odd/odd"}),
        Step("run --pull never busybox true", environment={"DOCKER_DEFAULT_PLATFORM": "linux/nosuch"}),
        *("--tlscacert", "ps --host x", "-Hunix:///nosuch.sock ps", "--host=unix:///nosuch.sock ps", "container -H x ls"),
        *("ps -D", "ps --log-level odd", "-v extra", "--version extra"),
        *(_page(line) for line in ("--help=false", "-D", "-D container")),
    ],
    doors=_IN_PROCESS,
)  # fmt: skip
ELSEWHERE = Family(
    "an engine elsewhere",
    [
        Step("ps", environment={"DOCKER_CONTEXT": "nosuch"}),
        Step("ps -q", environment={"DOCKER_CONTEXT": "default"}),
        Step("ps -q", environment={"DOCKER_API_VERSION": "1.44"}),
        Step("ps -q", environment={"DOCKER_API_VERSION": "1.10"}),
        Step("ps -q", environment={"DOCKER_API_VERSION": "1.99"}),
        Step("ps -q", environment={"DOCKER_API_VERSION": "odd"}),
        "--tlsverify ps",
    ],
    doors=("by a daemon",),
)  # fmt: skip
_WRONG = {
    "add-host": ("odd", "a:b", ":1.2.3.4", "a:"),
    "annotation": ("odd", "=x"),
    "attach": ("odd",),
    "blkio-weight": ("odd", "5", "70000"),
    "blkio-weight-device": ("odd", "/dev/null:odd", "odd:100", "/dev/null:5"),
    "cap-add": ("ODD",),
    "cap-drop": ("ODD",),
    "cgroup-parent": ("odd/../../x",),
    "cgroupns": ("odd",),
    "cidfile": ("/nosuch/file", "present"),
    "cpu-period": ("odd", "1", "-1"),
    "cpu-quota": ("odd", "1"),
    "cpu-rt-period": ("odd", "1"),
    "cpu-rt-runtime": ("odd",),
    "cpu-shares": ("odd", "-1", "1"),
    "cpus": ("odd", "-1", "1000", "1/3", "0.0000000001"),
    "cpuset-cpus": ("odd", "1000"),
    "cpuset-mems": ("odd", "1000"),
    "detach-keys": ("odd-keys", "ctrl-1"),
    "device": ("odd", "/dev/null:/dev/x:odd", "/nosuch", "/dev/null:x:y:z"),
    "device-cgroup-rule": ("odd", "a *:* x"),
    "device-read-bps": ("odd", "/dev/null:odd", "null:1"),
    "device-write-bps": ("odd",),
    "device-read-iops": ("odd", "/dev/null:odd"),
    "device-write-iops": ("odd",),
    "dns": ("odd",),
    "dns-search": ("'a b'",),
    "env": ("=x", "''"),
    "env-file": ("nosuch", "wrong-variables"),
    "expose": ("odd", "80/odd", "99999", "90-80"),
    "gpus": ("odd", "count=odd"),
    "group-add": ("nosuch",),
    "health-interval": ("odd", "1", "-1s", "1us"),
    "health-retries": ("odd", "-1"),
    "health-start-period": ("odd", "-1s"),
    "health-timeout": ("odd", "1us"),
    "hostname": ("'a b'", "-x"),
    "ip": ("odd",),
    "ip6": ("odd", "1.2.3.4"),
    "ipc": ("odd", "container:nosuch", "container:"),
    "isolation": ("odd",),
    "kernel-memory": ("odd",),
    "label": ("=x", "''"),
    "label-file": ("nosuch", "wrong-variables"),
    "link": ("nosuch", "nosuch:alias", "a:b:c"),
    "link-local-ip": ("odd",),
    "log-driver": ("odd",),
    "log-opt": ("odd", "odd=x", "max-size=odd", "max-file=0"),
    "mac-address": ("odd", "92:d0:c6:0a:29"),
    "memory": ("odd", "1k", "-1"),
    "memory-reservation": ("odd", "1k"),
    "memory-swap": ("odd", "1k", "-2"),
    "memory-swappiness": ("odd", "101", "-5"),
    "mount": (
        "odd", "type=odd,target=/x", "type=bind,source=/nosuch,target=/x",
        "type=volume", "type=bind,target=/x", "target=x", "type=tmpfs,target=/x,source=y",
    ),
    "name": ("'a b'", "x", "''"),
    "network": ("nosuch", "''", "container:nosuch", "container:", "host,x=y"),
    "network-alias": ("x",),
    "oom-score-adj": ("odd", "2000", "-2000"),
    "pid": ("odd", "container:nosuch", "container:"),
    "pids-limit": ("odd", "-5"),
    "platform": ("odd/odd/odd/odd",),
    "publish": ("odd", "80:odd", "99999:80", "80:80:80:80", "1.2.3:80:80", "80/odd", "80-81:80-83"),
    "pull": ("odd", "never"),
    "restart": ("odd", "on-failure:odd", "always:3", "on-failure:-1", "no:1"),
    "runtime": ("odd",),
    "security-opt": ("odd", "odd=x", "seccomp=nosuch", "apparmor=", "no-new-privileges=odd", "seccomp=wrong-variables"),
    "shm-size": ("odd", "-1", "0"),
    "stop-signal": ("odd",),
    "stop-timeout": ("odd",),
    "storage-opt": ("odd", "odd=x"),
    "sysctl": ("odd", "kernel.odd=1", "net.odd"),
    "tmpfs": ("x", "/x:odd", "''"),
    "ulimit": ("odd", "odd=1", "nofile=odd", "nofile=2:1", "nofile=1:2:3"),
    "user": ("nosuch", "0:nosuch"),
    "userns": ("odd",),
    "uts": ("odd",),
    "volume": ("odd", "a:b", "/x:/y:odd", "''", ":/x", "/a:/b:ro:rw", "'a b:/x'", "..:/y", "x:/"),
    "volume-driver": ("odd",),
    "volumes-from": ("nosuch", "nosuch:odd", "''"),
    "workdir": ("odd", "./x"),
}  # fmt: skip
_FILES = {"present": "", "wrong-variables": "good=1\na b=c\n"}
_RUN = [f"run --network none --rm --{flag} {value} busybox true" for flag, values in _WRONG.items() for value in values]
_CREATE = [f"create --{flag} {value} busybox" for flag, values in _WRONG.items() if flag != "detach-keys" for value in values]
#: The steps of one family, so that none takes long.
_MOST = 70


def _parts(name: str, steps: Sequence[Step | str]) -> Iterator[Family]:
    """Families of steps that do not depend on each other."""
    for number, first in enumerate(range(0, len(steps), _MOST), 1):
        yield Family(f"{name}, part {number}", steps[first : first + _MOST], _FILES, doors=_IN_PROCESS)


FAMILIES = [
    *_parts("help", _HELP),
    *_parts("usage", _USAGE),
    OPTIONS,
    ELSEWHERE,
    *_parts("values of run", _RUN),
    *_parts("values of create", _CREATE),
]
#: What our pages of help have beyond docker's.
OWN_HELP = frozenset(
    {
        *("completion", "daemon", "tui", "registry", "secret", "--data-root path", "--exec-root path", "--hooks-dir path"),
        *("--signature-policy path", "--tui", "--dry-run", "--health-on-failure action", "--secret secret[,opt=...]"),
        *("--umask string", "--publish-add list", "--publish-rm list"),
    }
)
#: What docker's have beyond ours: commands and options that are not there yet, and where docker's documentation is.
DOCKERS_HELP = frozenset(
    {
        *("bake", "buildx*", "compose*", "plugin", "trust", "swarm", "--use-api-socket"),
        "For more help on how to use Docker, head to https://docs.docker.com/go/guides/",
    }
)
_LONG = "docker's long description has more than one sentence"
_UPDATE = "the limits of devices, too, can be changed while a container runs"
_EARLY = "refused when the container is created, not when it starts"
_WORDS = "the words of this engine, which has no runtime of others"
_WEIGHT = "this engine sets the weights of the scheduler bfq, which docker does not know"
_PROTOCOL = "a protocol that there is not is refused"
_HOST = "the options of TLS are for tcp hosts alone"
_VERSION = "the version is that on which both sides agree"
_RELATIVE = "a path in the container that is relative, or the root, is refused"
_NETWORK = "refused when the container is created, in other words"
_R, _C = "run --network none --rm --", "create --"
#: Where this engine means to answer otherwise, and why: by family (of several parts: its name), then by the beginning of a place.
OTHERWISE: dict[str, dict[str, str]] = {
    "help, part 1": {
        "cp --help.text": _LONG,
        "container cp --help.text": _LONG,
        "update --help.Options:": _UPDATE,
        "container update --help.Options:": _UPDATE,
    },
    "an engine elsewhere": {
        "--tlsverify ps": _HOST,
        "DOCKER_API_VERSION=1.10": _VERSION,
        "DOCKER_API_VERSION=1.99": _VERSION,
        "DOCKER_API_VERSION=odd": _VERSION,
    },
    "values of run": {
        f"{_R}blkio-weight 5": _WEIGHT,
        f"{_R}cpu-shares 1": _WORDS,
        f"{_R}expose 80/odd": _PROTOCOL,
        f"{_R}ipc container: ": _EARLY,
        f"{_R}log-opt max-": _EARLY,
        f"{_R}network container:": _NETWORK,
        f"{_R}runtime odd": "the text goes on with what to do",
        f"{_R}tmpfs ": _WORDS,
        f"{_R}volume a:b": _RELATIVE,
        f"{_R}volume odd": _RELATIVE,
        f"{_R}volume x:/": _RELATIVE,
    },
    "values of create": {
        f"{_C}blkio-weight 5": _WEIGHT,
        f"{_C}expose 80/odd": _PROTOCOL,
        f"{_C}ipc container: ": _EARLY,
        f"{_C}log-opt max-": _EARLY,
        f"{_C}runtime odd": "the text goes on with what to do",
        f"{_C}tmpfs ": _EARLY,
        f"{_C}volume a:b": _RELATIVE,
        f"{_C}volume odd": _RELATIVE,
        f"{_C}volume x:/": _RELATIVE,
    },
}
