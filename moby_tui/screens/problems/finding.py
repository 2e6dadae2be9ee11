"""Finds problems in what an engine tells of its containers, images and ports. No client, no clock: ``now`` is Unix seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from moby_tui.schema.container import ContainerInspect, ContainerSummary, Health
from moby_tui.schema.system import Check
from moby_tui.schema.traffic import Exposure
from moby_tui.screens import text
from moby_tui.screens.problems.exits import ENDED_BY_SIGNAL, meaning
from moby_tui.screens.problems.problem import Problem, Severity

#: So many ends within so many seconds are a restart loop.
LOOP, LOOP_WITHIN = 3, 600.0
#: An end that is longer ago is a notice only; seconds.
RECENT = 86400.0
#: Characters of a probe's output that are shown.
OUTPUT = 2000


@dataclass(frozen=True, slots=True)
class Past:
    """What the events of the last hour tell of one container: when it ended, and when the kernel killed a process for lack of memory."""

    ends: tuple[float, ...] = ()
    out_of_memory: tuple[float, ...] = ()


def is_suspect(row: ContainerSummary, past: Past) -> bool:
    """Whether all of a container's settings are worth a look."""
    status = row.status
    failed = row.state in ("exited", "dead", "stopped") and "(0)" not in status
    return failed or row.state in ("restarting", "dead", "created") or "unhealthy" in status or past != Past()


def in_container(found: ContainerInspect, past: Past, now: float) -> list[Problem]:
    """The problems of one container by itself, the worst first."""
    checks = (_out_of_memory, _loop, _health, _start, _exit)
    problems: list[Problem] = []
    for check in checks:
        if (problem := check(found, past, now)) and not _is_explained(problem, problems):
            problems.append(problem)
    return problems


def _is_explained(problem: Problem, before: list[Problem]) -> bool:
    """True for an exit that a problem ``before`` explains: a lack of memory, a loop of restarts, a failed start."""
    return problem.kind == "exit" and any(one.kind in ("oom", "loop", "start") for one in before)


def _name(found: ContainerInspect) -> str:
    return text.clean(found.name.lstrip("/")) or text.short_id(found.id)


def _out_of_memory(found: ContainerInspect, past: Past, now: float) -> Problem | None:
    limit = found.host_config.memory
    bound = f"its limit is {text.size(limit)}" if limit else "it has no limit: the host itself was out of memory"
    more = "moby update --memory SIZE gives it more" if limit else "give it and its neighbours limits: moby update --memory SIZE"
    advice = f"{more}; if it grows without end, the program leaks"
    if found.state.oom_killed and not found.state.running:
        since = _seconds(found.state.finished_at)
        title = "the kernel killed it for lack of memory"
        return Problem("oom", Severity.ERROR, _name(found), title, advice, found.id, bound, since)
    if past.out_of_memory:
        title = "the kernel killed a process in it for lack of memory"
        return Problem("oom", Severity.WARNING, _name(found), title, advice, found.id, bound, past.out_of_memory[-1])
    return None


def _loop(found: ContainerInspect, past: Past, now: float) -> Problem | None:
    ends = [end for end in past.ends if now - end < LOOP_WITHIN]
    restarts = found.host_config.restart_policy.name not in ("", "no")
    if not restarts or (len(ends) < LOOP and not found.state.restarting):
        return None
    if len(ends) < LOOP and found.restart_count < LOOP:
        return None
    cause, look = meaning(found.state.exit_code)
    times = f"{len(ends)} times in {int(LOOP_WITHIN / 60)} minutes" if len(ends) >= LOOP else f"{found.restart_count} times"
    detail = (
        f"exit code {found.state.exit_code}: {cause}"
        if not found.state.running
        else f"it was restarted {found.restart_count} times"
    )
    advice = f"{look or 'look at its last lines'}; moby update --restart no {_name(found)} ends the loop"
    return Problem("loop", Severity.ERROR, _name(found), f"restart loop: ended {times}", advice, found.id, detail)


def _health(found: ContainerInspect, past: Past, now: float) -> Problem | None:
    health = found.state.health
    if not isinstance(health, Health) or health.status != "unhealthy" or not found.state.running:
        return None
    last = (health.log or [])[-1:]
    output = text.clean(last[0].output[:OUTPUT].strip().replace("\n", " ⏎ ")) if last else ""
    detail = f"last probe, exit code {last[0].exit_code}: {output or 'no output'}" if last else "no probe is kept"
    title = f"unhealthy: {health.failing_streak} probes failed in a row"
    test = found.config.healthcheck.test if found.config.healthcheck else None
    probe = text.clean(" ".join((test or [])[1:]))[:200]
    advice = f"run the probe yourself: {probe}" if probe else "look at its last lines"
    return Problem("unhealthy", Severity.ERROR, _name(found), title, advice, found.id, detail, _unhealthy_since(health))


def _unhealthy_since(health: Health) -> float:
    """When the first probe of the row failed. Engines keep the last five probes: of more, it follows from the time between these."""
    ends = [_seconds(probe.end) for probe in health.log or []]
    if not ends:
        return 0.0
    between = (ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else 0.0
    return ends[-1] - between * max(health.failing_streak - 1, 0)


def _start(found: ContainerInspect, past: Past, now: float) -> Problem | None:
    if not found.state.error or found.state.running:
        return None
    detail = text.clean(found.state.error)[:OUTPUT]
    _, look = meaning(found.state.exit_code) if found.state.exit_code else ("", "")
    advice = look or "mend what the message names, and start it again"
    return Problem(
        "start",
        Severity.ERROR,
        _name(found),
        "it could not be started",
        advice,
        found.id,
        detail,
        _seconds(found.state.finished_at) or _seconds(found.created),
    )


def _exit(found: ContainerInspect, past: Past, now: float) -> Problem | None:
    code = found.state.exit_code
    if found.state.running or not code or found.state.status in ("created", "removing"):
        return None
    cause, look = meaning(code)
    since = _seconds(found.state.finished_at)
    is_kept_up = found.host_config.restart_policy.name not in ("", "no")
    old = now - since > RECENT
    severity = Severity.NOTICE if code in ENDED_BY_SIGNAL or old else Severity.ERROR if is_kept_up else Severity.WARNING
    return Problem("exit", severity, _name(found), f"exit code {code}: {cause}", look, found.id, "", since)


def _seconds(stamp: str) -> float:
    """Unix seconds of a time of the API; 0 for none."""
    if stamp.startswith("0001"):
        return 0.0
    try:
        return datetime.fromisoformat(stamp[:19] + "+00:00").timestamp()
    except ValueError:
        return 0.0


def drift(rows: Iterable[ContainerSummary], asked: Mapping[str, str], tags: Mapping[str, str]) -> list[Problem]:
    """Running containers whose image's name means another image by now.

    ``asked``: the name that each was created with, by id, if the list does not have it. ``tags``: the id of each name.
    """
    problems = []
    for row in rows:
        name = asked.get(row.id) or row.image
        current = tags.get(full_name(name), "")
        if row.state == "running" and current and row.image_id and current != row.image_id:
            title = f"{text.clean(short_name(name))} names another image by now"
            detail = f"it runs {text.short_id(row.image_id)}, the name means {text.short_id(current)}"
            advice = "recreate it to run the newer one; or give it a name with a digest to stay"
            problems.append(Problem("drift", Severity.NOTICE, row_name(row), title, advice, row.id, detail))
    return problems


def comparable(
    rows: Iterable[ContainerSummary], asked: Mapping[str, str], digests: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """The name with its tag, by the container's id, of images that came from a registry or went to one.

    ``digests``: what the engine knows of each image by its id, as ``nginx@sha256:…``. An image that was built here has none.
    """
    names = {}
    for row in rows:
        name = full_name(asked.get(row.id) or row.image)
        if row.state == "running" and name and _digests_of(name, digests.get(row.image_id, ())):
            names[row.id] = name
    return names


def _digests_of(name: str, digests: Sequence[str]) -> set[str]:
    """The digests that an image has in the repository of a name with a tag."""
    repository = name.rpartition(":")[0]
    split = (one.partition("@") for one in digests)
    return {digest for place, _, digest in split if short_name(place) == repository}


def outdated(
    rows: Iterable[ContainerSummary],
    names: Mapping[str, str],
    digests: Mapping[str, Sequence[str]],
    registries: Mapping[str, str],
) -> list[Problem]:
    """Running containers for whose image's name the registry has another image. ``names`` are what ``comparable`` has found,
    ``registries`` the digest of each name there.
    """
    problems = []
    for row in rows:
        name = names.get(row.id, "")
        there, here = registries.get(name, ""), _digests_of(name, digests.get(row.image_id, ()))
        if there and here and there not in here:
            title = f"the registry has another image for {text.clean(name)}"
            detail = f"it runs {text.short_id(min(here))}, the registry has {text.short_id(there)}"
            advice = f"moby pull {text.clean(name)}, then recreate it; or give it a name with a digest to stay"
            problems.append(Problem("outdated", Severity.NOTICE, row_name(row), title, advice, row.id, detail))
    return problems


def silent(errors: Mapping[str, str]) -> list[Problem]:
    """Registries that did not say what they have, one problem for each."""
    by_registry: dict[str, list[str]] = {}
    for name in sorted(errors):
        by_registry.setdefault(_registry_of(name), []).append(name)
    return [
        Problem(
            "registry",
            Severity.NOTICE,
            text.clean(registry),
            f"it did not say what it has for {text.clean(', '.join(names[:3]))}{' …' if len(names) > 3 else ''}",
            "moby login, if it wants one; R on this page ends the questions",
            detail=errors[names[0]],
        )
        for registry, names in by_registry.items()
    ]


def _registry_of(name: str) -> str:
    first, slash, _ = name.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


def full_name(name: str) -> str:
    """An image's name with its tag, as lists of images have it; of one by digest nothing."""
    if "@" in name or name.startswith("sha256:") or not name:
        return ""
    name = short_name(name)
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def short_name(name: str) -> str:
    """Without what is meant anyway."""
    return name.removeprefix("docker.io/").removeprefix("library/")


def row_name(row: ContainerSummary) -> str:
    names = [name.lstrip("/") for name in row.names]
    return text.clean(next((one for one in names if one and "/" not in one), "")) or text.short_id(row.id)


def open_ports(exposures: Sequence[Exposure]) -> list[Problem]:
    """Ports that whoever reaches the host reaches, one problem for each container."""
    by_container: dict[str, list[Exposure]] = {}
    for one in exposures:
        by_container.setdefault(one.container_id, []).append(one)
    problems = []
    for identifier, ports in by_container.items():
        ports_text = sorted({"any port" if not one.port else f"{one.port}/{text.clean(one.protocol)}" for one in ports})
        reasons = ", ".join(sorted({text.clean(one.reason) for one in ports}))
        title = f"open to the world: {', '.join(ports_text[:6])}{' …' if len(ports_text) > 6 else ''}"
        advice = (
            "if only this host needs it, publish it at 127.0.0.1: moby update --publish-rm and --publish-add 127.0.0.1:PORT:PORT"
        )
        name = text.clean(ports[0].container)
        problems.append(Problem("port", Severity.NOTICE, name, title, advice, identifier, f"why: {reasons}"))
    return problems


def published(rows: Iterable[ContainerSummary]) -> list[Exposure]:
    """What a list of containers tells of open ports, for engines that cannot say what is exposed."""
    return [
        Exposure(
            address=port.ip or "",
            port=port.public_port,
            protocol=port.type,
            container=row_name(row),
            container_id=row.id,
            container_port=port.private_port,
            network="",
            reason="published",
        )
        for row in rows
        for port in row.ports
        if port.public_port and port.ip in ("0.0.0.0", "::", "", None)
    ]


def on_host(checks: Iterable[Check]) -> list[Problem]:
    """What the doctor of the engine finds wrong with its host."""
    severities = {"error": Severity.ERROR, "warning": Severity.WARNING}
    return [
        Problem("host", severities[check.severity], text.clean(check.about), text.clean(check.message), text.clean(check.advice))
        for check in checks
        if check.severity in severities
    ]
