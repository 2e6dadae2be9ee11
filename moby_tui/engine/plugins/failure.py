"""What can go wrong with a plug-in. Texts are one line."""

from __future__ import annotations


class PluginFailure(Exception):
    """A call failed. Whether the plug-in has done what it was asked for is unknown, unless a subclass says it."""


class NotFound(PluginFailure):
    """No plug-in of this name, or none that implements what is needed: nothing was asked of it."""


class NotListening(PluginFailure):
    """Nobody accepts connections at the plug-in's address: nothing was asked of it."""


class Malformed(PluginFailure):
    """The plug-in has answered, as if it had done it, but not with what the protocol says."""


class Refused(PluginFailure):
    """The plug-in has answered that it has not done it."""
