"""Registries over HTTP (OCI distribution-spec): ``registry.Registry`` is one of them, ``repositories`` and ``search`` only look.

Runs in an engine. What a registry answers is hostile. ``connection`` and ``authorization`` are private to it.
"""
