"""What is done for who operates a host: other programs' changes are noticed, traffic is examined and shaped.

Offers: ``firewall_watch.FirewallWatch``, ``doctor.examine``, ``shaping.apply``.
"""
