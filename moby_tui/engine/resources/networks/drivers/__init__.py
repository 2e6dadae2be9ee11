"""The kinds of networks. ``driver.Driver`` is the one face that the manager knows; everything about bridges stays in ``bridge``."""
