"""``moby tui --web``: the dashboard in a browser.

``server.serve`` answers HTTP, ``admission`` decides who may use it, and each page that is open has a dashboard in a process of its own
(``session``). The terminal that the page draws is textual-serve's.
"""
