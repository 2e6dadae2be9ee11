"""Questions about a Dockerfile instead of a build of it: ``docker build --check`` and ``--call``.

The answers are JSON, which clients print (moby/buildkit, frontend/subrequests).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from moby_tui.errors import InvalidArgument
from moby_tui.schema.build import Examined, Parameter

_LINT, _OUTLINE, _TARGETS, _DESCRIBE = "frontend.lint", "frontend.outline", "frontend.targets", "frontend.subrequests.describe"
_VERSION = "1.0.0"
#: What a question takes beside the attributes of a build.
_OPTIONS: dict[str, list[dict[str, str]] | None] = {
    _OUTLINE: [{"name": "target", "description": "Target build stage"}],
    _TARGETS: [],
    _DESCRIBE: None,
}
_DESCRIPTIONS = {
    _OUTLINE: "List all parameters current build target supports",
    _TARGETS: "List all targets current build supports",
    _LINT: "Lint a Dockerfile",
    _DESCRIBE: "List available subrequest types",
}


def check(question: str) -> None:
    """Raises ``NotImplementedYet`` for an unknown question; an empty one is none."""
    if question and question not in _DESCRIPTIONS:
        raise InvalidArgument(f"unsupported request {question[:80]}")


def answer(question: str, examined: Examined) -> dict[str, bytes]:
    """The metadata of the result. Raises the ``MobyError`` of a Dockerfile that cannot be read; to the checks that is an answer too."""
    if examined.error is not None and question not in (_LINT, _DESCRIBE):
        raise examined.error
    makers: dict[str, Callable[[Examined], Any]] = {
        _LINT: _lint,
        _OUTLINE: _outline,
        _TARGETS: _targets,
        _DESCRIBE: _describe,
    }
    text = json.dumps(makers[question](examined), indent=2, ensure_ascii=False).encode("utf-8", "replace")
    metadata = {"result.json": text, "result.txt": text + b"\n", "version": _VERSION.encode()}
    if question == _LINT:
        metadata["result.statuscode"] = b"1" if examined.warned or examined.error else b"0"
    return metadata


def _lint(examined: Examined) -> Mapping[str, Any]:
    warnings = [
        {
            "ruleName": warned.rule,
            "description": warned.description,
            "url": warned.address,
            "detail": warned.text,
            "location": _location(warned.lines),
        }
        for warned in examined.warned
    ]
    source = {"filename": examined.dockerfile, "data": _base64(examined.source), "language": "Dockerfile"}
    document: dict[str, Any] = {"warnings": warnings or None, "sources": [source]}
    if error := examined.error:
        lines = {"location": _location((error.line, error.end or error.line))} if error.line else {}
        document["buildError"] = {"message": error.buildkit or error.message, **lines}
    return document


def _outline(examined: Examined) -> Mapping[str, Any]:
    assert examined.outline is not None
    outline = examined.outline
    document = {
        "name": outline.target.name,
        "description": outline.target.description,
        "args": [_parameter(each) for each in outline.arguments],
        "secrets": [_parameter(each) for each in outline.secrets],
        "ssh": [_parameter(each) for each in outline.agents],
    }
    return {**{name: value for name, value in document.items() if value}, "sources": [_base64(examined.source)]}


def _parameter(parameter: Parameter) -> Mapping[str, Any]:
    document = {
        "name": parameter.name,
        "description": parameter.description,
        "value": parameter.value,
        "required": parameter.required,
    }
    return {**{name: value for name, value in document.items() if value}, "location": _location(parameter.lines)}


def _targets(examined: Examined) -> Mapping[str, Any]:
    targets = []
    for target in examined.targets:
        document = {"name": target.name, "default": target.default, "description": target.description, "base": target.base}
        targets.append({**{name: value for name, value in document.items() if value}, "location": _location(target.lines)})
    return {"targets": targets, "sources": [_base64(examined.source)]}


def _describe(examined: Examined) -> list[Mapping[str, Any]]:
    metadata = [{"name": name, "description": ""} for name in ("result.json", "result.txt")]
    return [
        {
            "name": name,
            "version": _VERSION,
            "type": "rpc",
            "description": text,
            "opts": _OPTIONS[name],
            "inputs": None,
            "metadata": metadata,
            "refs": None,
        }
        for name, text in _DESCRIPTIONS.items()
        if name != _LINT
    ]


def _location(lines: tuple[int, int]) -> Mapping[str, Any]:
    first, last = lines
    return {"ranges": [{"start": {"line": first}, "end": {"line": last}}]}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
