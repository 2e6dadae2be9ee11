"""Images between two steps of a build (``builder/image.py``) as the build cache keeps them on disk (``store/records/build_steps.py``)."""

from __future__ import annotations

import msgspec

from moby_tui.engine.resources.builder.image import BuiltImage
from moby_tui.engine.store.records import converted
from moby_tui.engine.store.records.build_steps import StepRecord


def step_to_keep(image: BuiltImage, *, classic: bool = False) -> StepRecord:
    """The file of a step that has made ``image``."""
    return msgspec.structs.replace(converted(image, StepRecord, "build step"), classic=classic)


def step_to_use(record: StepRecord) -> BuiltImage:
    """The image that a step has made, as ``step_to_keep`` was given it."""
    return converted(record, BuiltImage, "build step")
