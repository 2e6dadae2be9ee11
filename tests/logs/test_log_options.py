"""``--log-driver`` and ``--log-opt``: refused in Docker's words, resolved to what the monitor is told."""

from __future__ import annotations

import pytest

from moby_tui.engine.protocol.log import LogSettings
from moby_tui.engine.runtime.configuration.log_options import Subject, resolve, validate
from moby_tui.errors import InvalidArgument

SUBJECT = Subject(
    id="0123456789abcdef" * 4,
    name="web",
    image="busybox",
    image_id="sha256:" + "fe" * 32,
    command="sh -c true",
    labels={"tier": "front", "team.name": "a<b"},
    env=["LANG=C", "TIER=x=y", "EMPTY="],
)


@pytest.mark.parametrize(
    ("driver", "options", "text"),
    [
        ("gelf", {}, 'error looking up logging plugin gelf: plugin "gelf" not found'),
        ("json-file", {"x": "1"}, "unknown log opt 'x' for json-file log driver"),
        ("local", {"x": "1"}, "unknown log opt 'x' for log driver local"),
        ("syslog", {"max-size": "1m"}, "unknown log opt 'max-size' for syslog log driver"),
        ("journald", {"syslog-format": "x"}, "unknown log opt 'syslog-format' for journald log driver"),
        ("", {"mode": "fast"}, "logger: logging mode not supported: fast"),
        ("", {"max-buffer-size": "1m"}, "logger: max-buffer-size option is only supported with 'mode=non-blocking'"),
        ("", {"max-size": "5x"}, "invalid size: '5x' for log option max-size"),
        ("", {"max-size": "0"}, "max-size must be a positive number"),
        ("", {"max-file": "0"}, "max-file cannot be less than 1"),
        ("", {"max-file": "two"}, 'parsing "two": invalid syntax'),
        ("", {"compress": "maybe"}, 'parsing "maybe": invalid syntax'),
        (
            "",
            {"compress": "true", "max-file": "1"},
            "compress cannot be true when max-file is less than 2 or max-size is not set",
        ),
        ("", {"labels-regex": "("}, "invalid log option labels-regex"),
        ("", {"tag": "{{.Nothing}}"}, "no field Nothing"),
        ("", {"tag": "{{range .X}}"}, "only fields like {{.Name}} are understood"),
        ("syslog", {"syslog-facility": "nobody"}, "invalid syslog facility"),
        ("syslog", {"syslog-format": "rfc1"}, "invalid syslog format"),
        ("syslog", {"syslog-address": "http://x"}, "unsupported syslog scheme 'http'"),
        ("syslog", {"syslog-address": "udp://:514"}, "names no host"),
    ],
)
def test_what_is_refused(driver: str, options: dict[str, str], text: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        validate(driver, options)
    assert text in str(raised.value)


def test_defaults() -> None:
    assert resolve("", {}, SUBJECT) == LogSettings(driver="json-file", max_size=10 * 1024 * 1024, max_files=3)
    assert resolve("local", {}, SUBJECT) == LogSettings(driver="local", max_size=20 * 1024 * 1024, max_files=5, compress=True)
    assert resolve("none", {}, SUBJECT).readable is False
    kept = resolve("json-file", {"max-size": "5k", "max-file": "2"}, SUBJECT)
    assert (kept.max_size, kept.max_files) == (5000, 2)
    assert resolve("json-file", {"max-size": "-1"}, SUBJECT).max_size == 0
    assert resolve("json-file", {"mode": "non-blocking"}, SUBJECT).buffer == 1024 * 1024
    assert resolve("local", {"mode": "non-blocking", "max-buffer-size": "4m"}, SUBJECT).buffer == 4 * 1024 * 1024


def test_settings_survive_the_order() -> None:
    for driver in ("json-file", "syslog", "journald"):
        kept = resolve(driver, {"tag": "{{.Name}}"}, SUBJECT)
        assert LogSettings.decode(kept.encode()) == kept


def test_attributes_are_what_was_asked_for() -> None:
    options = {"labels": "tier,none", "labels-regex": "^team", "env": "LANG", "env-regex": "^TI", "tag": "{{.Name}}/{{ .ID }}"}
    attributes = resolve("json-file", options, SUBJECT).attributes
    assert attributes == r'{"LANG":"C","TIER":"x=y","tag":"web/0123456789ab","team.name":"a\u003cb","tier":"front"}'
    assert resolve("json-file", {}, SUBJECT).attributes == ""


def test_every_field_of_a_tag() -> None:
    template = "{{.FullID}} {{.FullName}} {{.ImageID}} {{.ImageFullID}} {{.ImageName}} {{.Command}} {{.DaemonName}}"
    remote = dict(resolve("syslog", {"tag": template}, SUBJECT).remote)
    assert remote["tag"] == f"{SUBJECT.id} /web fefefefefefe {SUBJECT.image_id} busybox sh -c true docker"
    assert dict(resolve("syslog", {}, SUBJECT).remote)["tag"] == "0123456789ab"


def test_a_remote_log_is_kept_here_too() -> None:
    assert resolve("syslog", {}, SUBJECT).readable
    assert not resolve("journald", {"cache-disabled": "true"}, SUBJECT).readable
    kept = resolve("syslog", {"cache-max-size": "1m", "cache-compress": "false"}, SUBJECT)
    assert (kept.max_size, kept.max_files, kept.compress) == (1_000_000, 5, False)
