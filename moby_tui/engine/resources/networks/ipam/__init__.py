"""Addresses: which subnets a network gets (``pools``), and which address of them an endpoint (``leases``)."""
