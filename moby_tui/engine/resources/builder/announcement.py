"""Events of type ``builder`` that tell of a build: ``start``, then ``finish``, ``fail`` or ``cancel``. Docker's engine has none of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from moby_tui.engine.resources.images.manager import Publish
from moby_tui.schema.build import BuildOptions
from moby_tui.schema.image import Progress

#: Characters of an error that an event tells.
_LONGEST = 500


@contextmanager
def announced(publish: Publish, options: BuildOptions) -> Iterator[Callable[[Progress], None]]:
    """Publishes the events of the build that the block carries out: ``start``, then ``finish``, ``fail`` or ``cancel``.

    Yields a function that takes each line of the build's progress; it looks for the image's id, which the last event tells. The actor is
    ``options.id``, or an id of its own. Attributes: ``name`` (the tags), ``dockerfile``, ``target``; at the end ``image``, or ``error``.
    """
    ident = options.id or os.urandom(16).hex()
    attributes = {"name": ", ".join(options.tags), "dockerfile": options.dockerfile, "target": options.target}
    attributes = {key: value for key, value in attributes.items() if value}

    def take(line: Progress) -> None:
        if line.aux and "ID" in line.aux:
            attributes["image"] = str(line.aux["ID"])

    publish("builder", "start", ident, attributes)
    try:
        yield take
    except (asyncio.CancelledError, GeneratorExit):
        publish("builder", "cancel", ident, attributes)
        raise
    except Exception as error:
        publish("builder", "fail", ident, attributes | {"error": str(error)[:_LONGEST]})
        raise
    publish("builder", "finish", ident, attributes)
