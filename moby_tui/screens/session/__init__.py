"""What the dashboard shows, without a widget: the lists, statistics and log lines of one client, kept current by its events.

Runs in the process of ``moby tui``. ``session.Session`` is what the pages use; the feeds are private to it.
"""
