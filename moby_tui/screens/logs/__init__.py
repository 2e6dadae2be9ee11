"""What is shown of logs, without a widget: lines as they are kept and cut into rows, and the feed of one container's log.

Runs in the process of ``moby tui``.
"""
