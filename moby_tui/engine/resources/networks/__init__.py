"""Networks: bridges, macvlan, ipvlan, addresses, published ports, firewall, names. ``manager.NetworkManager`` is the
entrance, in an engine: the networks themselves; its ``sandboxes`` are the networks of containers.

``names/server.py`` is a process of its own. What is made for a container is recorded before it is made, so that a monitor or another
engine can undo it. The containers service uses ``manager``, ``sandboxes``, ``sandbox``, ``endpoints`` and ``files``; all else is private.
"""
