"""The pages of the dashboard, one module each. ``registry.PAGES`` lists them; ``page.Page`` and ``resource.ResourcePage`` are their bases.

Runs in the process of ``moby tui``. A page's module is imported when the page is first visited.
"""
