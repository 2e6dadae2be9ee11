"""What a person can do: each action is declared once, and key, footer, help, palette and the table of keys are made of that.

Runs in the process of ``moby tui``.
"""
