"""The severity of a log line, recognised in JSON, logfmt, klog, syslog and bracketed forms."""

from __future__ import annotations

import re
from enum import IntEnum

#: A level stands at the beginning of a line or in one of its first fields.
_LOOKED_AT = 512


class Level(IntEnum):
    """In order of severity. ``NONE`` is a line that names no level."""

    NONE = 0
    TRACE = 1
    DEBUG = 2
    INFO = 3
    WARN = 4
    ERROR = 5
    FATAL = 6


#: What a person may write in a query, and what programs write.
NAMES = {
    "trace": Level.TRACE,
    "trc": Level.TRACE,
    "verbose": Level.TRACE,
    "debug": Level.DEBUG,
    "dbg": Level.DEBUG,
    "info": Level.INFO,
    "inf": Level.INFO,
    "information": Level.INFO,
    "notice": Level.INFO,
    "log": Level.INFO,
    "warn": Level.WARN,
    "warning": Level.WARN,
    "wrn": Level.WARN,
    "error": Level.ERROR,
    "err": Level.ERROR,
    "eror": Level.ERROR,
    "severe": Level.ERROR,
    "fatal": Level.FATAL,
    "crit": Level.FATAL,
    "critical": Level.FATAL,
    "panic": Level.FATAL,
    "alert": Level.FATAL,
    "emerg": Level.FATAL,
    "emergency": Level.FATAL,
}
_OF_BYTES = {name.encode(): level for name, level in NAMES.items()}
_KLOG = {b"I": Level.INFO, b"W": Level.WARN, b"E": Level.ERROR, b"F": Level.FATAL}
#: bunyan's and pino's numbers: 10 is trace, 60 is fatal.
_NUMBERED = {b"10": Level.TRACE, b"20": Level.DEBUG, b"30": Level.INFO, b"40": Level.WARN, b"50": Level.ERROR, b"60": Level.FATAL}
_FIELD = re.compile(rb'(?i:\b(?:level|lvl|severity|loglevel|levelname|log\.level))"?\s*[:=]\s*"?([A-Za-z]+|[1-6]0\b)')
_WORD = re.compile(
    rb"\b(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|CRIT(?:ICAL)?|FATAL|PANIC|ALERT|EMERG|SEVERE|LOG)\b"
    rb"|\[\s*(trace|debug|info|notice|warn(?:ing)?|err(?:or)?|crit(?:ical)?|fatal|alert|emerg)\s*\]"
    rb"|(?:^|\s)([Tt]race|[Dd]ebug|[Ii]nfo|[Nn]otice|[Ww]arn(?:ing)?|[Ee]rror|[Cc]ritical|[Ff]atal|[Pp]anic):"
    rb"|^([IWEF])\d{4} \d\d:\d\d:\d\d"
)


def find_level(line: bytes) -> Level:
    """The level that a line names, ``Level.NONE`` if it names none. A field ``level`` counts before a word elsewhere."""
    head = line[:_LOOKED_AT]
    for field in _FIELD.finditer(head):
        value = field[1].lower()
        level = _NUMBERED.get(value) or _OF_BYTES.get(value)
        if level:
            return level
    word = _WORD.search(head)
    if word is None:
        return Level.NONE
    if word[4]:
        return _KLOG[word[4]]
    return _OF_BYTES.get((word[1] or word[2] or word[3]).lower(), Level.NONE)
