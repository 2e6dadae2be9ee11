"""Terminals, without a widget: the emulator, what keys send, and a shell in a container over one exec.

Runs in the process of ``moby tui``.
"""
