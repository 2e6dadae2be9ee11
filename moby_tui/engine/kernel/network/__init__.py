"""The kernel's network by netlink: links, addresses and routes (``rtnetlink``), firewall (``nftables``), connections (``conntrack``).

Only engines import these modules; ``netlink`` has the socket and the encoding, ``netns`` makes and enters network namespaces. The
monitor imports ``netlink`` alone: it sends messages that an engine has encoded.
"""
