"""Compose projects as the labels of their containers tell them: services in the order of their dependencies, and what differs from the file.

Runs in the process of ``moby tui``; without a widget. Files are read by ``compose_file`` alone.
"""
