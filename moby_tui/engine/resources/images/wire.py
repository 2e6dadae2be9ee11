"""Configurations of images between the OCI image specification (``schema/oci.py``) and what is kept on disk (``store/records/images.py``)."""

from __future__ import annotations

from moby_tui.engine.store.records import converted
from moby_tui.engine.store.records.images import ImageConfig
from moby_tui.schema import oci


def config_to_keep(config: oci.ImageConfig) -> ImageConfig:
    """The configuration of an image as it is kept on disk. Raises ``InvalidArgument`` for a value of another type than its field has."""
    return converted(config, ImageConfig, "image configuration")


def config_to_show(config: ImageConfig) -> oci.ImageConfig:
    """The same configuration as ``config_to_keep`` was given."""
    return converted(config, oci.ImageConfig, "image configuration")
