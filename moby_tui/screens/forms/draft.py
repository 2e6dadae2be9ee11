"""What stands in the fields of the form of ``moby run``, and the line that it makes."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from moby_tui.screens import text
from moby_tui.screens.forms.options import Pair, Settings


@dataclass(frozen=True, slots=True)
class Field:
    """One field. Of an option that may come ``many`` times it has all values, as words of a shell."""

    id: str
    label: str
    option: str = ""
    many: bool = False
    hint: str = ""
    #: Where its choices come from: images, networks, restarts.
    choices: str = ""


FIELDS = (
    Field("image", "Image", hint="nginx:1.29", choices="images"),
    Field("name", "Name", "--name", hint="the engine makes one"),
    Field("ports", "Ports", "--publish", many=True, hint="8080:80 127.0.0.1:53:53/udp"),
    Field("env", "Environment", "--env", many=True, hint="KEY=value 'WORDS=two words'"),
    Field("volumes", "Volumes", "--volume", many=True, hint="data:/var/lib/data /host/path:/path:ro"),
    Field("network", "Networks", "--network", many=True, hint="bridge", choices="networks"),
    Field("memory", "Memory", "--memory", hint="256m"),
    Field("cpus", "CPUs", "--cpus", hint="1.5"),
    Field("restart", "Restart", "--restart", hint="no", choices="restarts"),
    Field("more", "More options", hint="any option of moby run: --init --cap-drop ALL"),
    Field("command", "Command", hint="the image's"),
)
RESTARTS = ("no", "on-failure", "on-failure:3", "unless-stopped", "always")
_BY_OPTION = {one.option: one for one in FIELDS if one.option}

NAME = "--name"
#: What the engine changes while a container runs.
_LIVE = frozenset(
    (
        NAME,
        "--memory", "--memory-swap", "--memory-reservation", "--cpus", "--cpu-shares", "--cpu-period", "--cpu-quota", "--cpuset-cpus",
        "--cpuset-mems", "--pids-limit", "--restart",
    )
)  # fmt: skip

#: The fields' texts, by id.
Draft = Mapping[str, str]


def draft(settings: Settings) -> dict[str, str]:
    """The fields of a container that there is. What has no field of its own stands among the further options."""
    values: dict[str, list[str]] = {one.id: [] for one in FIELDS}
    more = Settings("")
    for name, value in settings.options:
        field = _BY_OPTION.get(name)
        if field and (field.many or not values[field.id]):
            values[field.id].append(value or "")
        elif name != "-d":
            more.options.append((name, value))
    words = {key: shlex.join(values_given) if _BY_ID[key].many else "".join(values_given) for key, values_given in values.items()}
    words.update(image=settings.image, command=shlex.join(settings.command), more=shlex.join(more.words()[:-1]))
    return words


_BY_ID = {one.id: one for one in FIELDS}


def settings(written: Draft) -> Settings:
    """The line that the fields make; it runs in the background. Raises ``ValueError`` for a quotation mark without its other."""
    made = Settings(written["image"].strip(), [("-d", None)])
    for field in FIELDS:
        text = written.get(field.id, "")
        if field.option:
            values = _words(field, text) if field.many else [text.strip()] if text.strip() else []
            made.options += [(field.option, value) for value in values]
    made.options += _pairs(_words(_BY_ID["more"], written.get("more", "")))
    made.command = _words(_BY_ID["command"], written.get("command", ""))
    return made


def _words(field: Field, said: str) -> list[str]:
    try:
        return shlex.split(said)
    except ValueError as error:
        raise ValueError(f"{field.label}: {str(error).lower()}; quote as in a shell") from None


def _pairs(words: Sequence[str]) -> list[Pair]:
    """Options as they were written: a word with a dash begins one, the word behind it that has none is its value."""
    pairs: list[Pair] = []
    for word in words:
        if word.startswith("-") and len(word) > 1:
            name, equals, value = word.partition("=")
            pairs.append((name, value) if equals and word.startswith("--") else (word, None))
        elif pairs and pairs[-1][1] is None:
            pairs[-1] = (pairs[-1][0], word)
        else:
            pairs.append((word, None))
    return pairs


def lines(written: Settings) -> list[str]:
    """One line for each option, the image and the command: what ``differences`` compares."""
    options = [name if value is None else f"{name} {shlex.quote(value)}" for name, value in written.options if name != "-d"]
    return [*options, f"image {written.image}", *([f"command {shlex.join(written.command)}"] if written.command else [])]


def differences(old: Settings, new: Settings) -> list[str]:
    """``- --memory 64m`` for what goes, ``+ --memory 128m`` for what comes; clean."""
    before, after = lines(old), lines(new)
    gone = _without(before, after)
    return [text.clean(line) for line in (*(f"- {one}" for one in gone), *(f"+ {one}" for one in _without(after, before)))]


def _without(these: Iterable[str], those: Sequence[str]) -> list[str]:
    left = list(those)
    kept = []
    for one in these:
        if one in left:
            left.remove(one)
        else:
            kept.append(one)
    return kept


def live_changes(old: Settings, new: Settings) -> frozenset[str]:
    """The options that differ, if they are only limits and the name, and each has a value: the engine changes them as the container runs.

    Else nothing. A limit that is taken away needs a new container: the API leaves a limit of nothing as it is.
    """
    if (old.image, old.command) != (new.image, new.command):
        return frozenset()
    before, after = dict(old.options), dict(new.options)
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    same = sorted(one for one in old.options if one[0] not in changed) == sorted(
        one for one in new.options if one[0] not in changed
    )
    return frozenset(changed) if same and changed <= _LIVE and all(after.get(name) for name in changed) else frozenset()


def live_line(name: str, new: Settings, changed: Iterable[str]) -> str:
    """The command lines that make such changes: ``moby rename web front && moby update --memory 1g front``."""
    given = dict(new.options)
    commands = [["moby", "rename", name, str(given[NAME])]] if NAME in changed else []
    limits = [word for option in sorted(changed) if option != NAME for word in (option, str(given[option]))]
    if limits:
        commands.append(["moby", "update", *limits, str(given[NAME]) if NAME in changed else name])
    return " && ".join(map(shlex.join, commands))
