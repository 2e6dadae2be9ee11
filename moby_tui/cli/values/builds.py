"""Options of a build: ``--secret``, ``--output``, ``--cache-from``, ``--cache-to``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from moby_tui.cli.values.comma import fields
from moby_tui.errors import InvalidArgument
from moby_tui.schema.build import CacheTarget, Output

#: As BuildKit's.
_SECRET_LIMIT = 500 * 1024
#: The types whose result is a folder, and those whose result is one file.
FOLDERS = ("local",)
FILES = ("tar", "oci", "docker")


@dataclass(frozen=True)
class Wanted:
    """An output, and where it goes here: a folder, a file, or ``-`` for standard output; empty if it goes nowhere here."""

    output: Output
    destination: str = ""
    #: an archive is unpacked in a folder (``tar=false``)
    unpacked: bool = False


def secrets(given: list[str], environment: Mapping[str, str]) -> dict[str, bytes]:
    """As docker's: a file, or a variable; that of the secret's own name where neither is named. Raises ``InvalidArgument``."""
    contents: dict[str, bytes] = {}
    for text in given:
        options = dict(entry.partition("=")[::2] for entry in text.split(","))
        ident = options.pop("id", "")
        kind = options.pop("type", "")
        source = options.pop("src", "") or options.pop("source", "")
        variable = options.pop("env", "") or (source if kind == "env" else "" if source else ident)
        if not ident or options or kind not in ("", "file", "env"):
            raise InvalidArgument(
                f"invalid secret {text[:80]!r}: write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE"
            )
        if variable:
            if variable not in environment:
                raise InvalidArgument(f"secret {ident}: the variable {variable} is not set; set it, or name a file with src=")
            contents[ident] = environment[variable].encode("utf-8", "surrogateescape")
            continue
        try:
            with open(source, "rb") as file:
                contents[ident] = file.read(_SECRET_LIMIT + 1)
        except OSError as error:
            raise InvalidArgument(f"secret {ident}: {source}: {(error.strerror or '').lower()}") from error
        if len(contents[ident]) > _SECRET_LIMIT:
            raise InvalidArgument(f"secret {ident}: {source} has more than {_SECRET_LIMIT} bytes")
    return contents


def agents(given: list[str], environment: Mapping[str, str]) -> dict[str, list[str]]:
    """``default``, ``id=SOCKET`` or ``id=KEY,KEY``: for each id the socket of an agent, or keys. Raises ``InvalidArgument``."""
    sockets: dict[str, list[str]] = {}
    for text in given:
        ident, _, places = text.partition("=")
        paths = [os.path.abspath(path) for path in places.split(",") if path] or [environment.get("SSH_AUTH_SOCK", "")]
        if not all(paths):
            raise InvalidArgument(f"--ssh {text[:80]}: no agent is running (SSH_AUTH_SOCK is not set); start one, or name a key")
        sockets[ident or "default"] = paths
    return sockets


def outputs(given: list[str], *, push: bool) -> list[Wanted]:
    """``type=local,dest=DIR`` and its kin; a bare path is a folder, ``-`` a tar on standard output. Raises ``InvalidArgument``."""
    parsed = [_output(text) for text in given]
    if push and not any(wanted.output.kind in ("image", "registry") for wanted in parsed):
        parsed.append(Wanted(Output(kind="image", push=True)))
    elif push:
        parsed = [Wanted(Output(kind=each.output.kind, push=True), each.destination, each.unpacked) for each in parsed]
    if sum(wanted.destination == "-" for wanted in parsed) > 1:
        raise InvalidArgument("only one output can go to standard output: give the others dest=FILE")
    return parsed


def _output(text: str) -> Wanted:
    if "=" not in text and "," not in text:
        return Wanted(Output(kind="tar"), "-") if text == "-" else Wanted(Output(kind="local"), text)
    options = {key: value for key, _, value in fields("--output", text)}
    kind = options.pop("type", "")
    destination = options.pop("dest", "")
    push = options.pop("push", "false")
    unpacked = options.pop("tar", "true") == "false"
    # what these would change is so already: equal builds have equal times, and the name is the tag's
    rewrite = options.pop("rewrite-timestamp", "true")
    if options:
        raise InvalidArgument(
            f"unknown key {min(options)[:40]!r} in --output: known are type, dest, push, tar, rewrite-timestamp"
        )
    if rewrite != "true":
        raise InvalidArgument("rewrite-timestamp=false: leave out SOURCE_DATE_EPOCH to keep the files' own times")
    if kind in FILES and not destination:
        if kind == "docker":
            return Wanted(Output(kind="image"))
        destination = "-"
    if (kind in FOLDERS or unpacked) and destination in ("", "-"):
        raise InvalidArgument(f"an output of type {kind} needs a folder: write --output type={kind},dest=FOLDER")
    if kind not in FOLDERS + FILES and destination:
        raise InvalidArgument(f"dest= means nothing for an output of type {kind[:40]!r}")
    return Wanted(Output(kind=kind, push=push in ("true", "1", "")), destination, unpacked)


def cache_sources(given: list[str]) -> tuple[list[str], dict[str, str]]:
    """The references to ask, and by name the folders to send. Raises ``InvalidArgument``."""
    references: list[str] = []
    folders: dict[str, str] = {}
    for text in given:
        if "=" not in text:
            references.append(text)
            continue
        options = {key: value for key, _, value in fields("--cache-from", text)}
        kind = options.pop("type", "")
        if kind == "registry" and options.get("ref"):
            references.append(options.pop("ref"))
        elif kind == "local" and options.get("src"):
            folders[f"cache-{len(folders)}"] = options.pop("src")
        else:
            raise InvalidArgument(
                f"invalid --cache-from {text[:80]!r}: write it as NAME, type=registry,ref=NAME or type=local,src=FOLDER"
            )
        if options:
            raise InvalidArgument(f"unknown key {min(options)[:40]!r} in --cache-from")
    return references, folders


def cache_targets(given: list[str]) -> list[tuple[CacheTarget, str]]:
    """Each with the folder that it is written to, if any. Raises ``InvalidArgument``."""
    targets = []
    for text in given:
        options = {key: value for key, _, value in fields("--cache-to", text if "=" in text else f"type=registry,ref={text}")}
        kind, mode = options.pop("type", ""), options.pop("mode", "min")
        reference, folder = options.pop("ref", ""), options.pop("dest", "")
        right = (kind == "inline" and not reference and not folder) or (kind == "registry" and reference and not folder)
        if mode not in ("min", "max") or not (right or (kind == "local" and folder and not reference)):
            raise InvalidArgument(
                f"invalid --cache-to {text[:80]!r}: write it as type=inline, type=registry,ref=NAME or type=local,dest=FOLDER,"
                " with mode=min or mode=max"
            )
        if options:
            raise InvalidArgument(f"unknown key {min(options)[:40]!r} in --cache-to: known are type, ref, dest, mode")
        targets.append((CacheTarget(kind=kind, reference=reference, everything=mode == "max"), folder))
    return targets
