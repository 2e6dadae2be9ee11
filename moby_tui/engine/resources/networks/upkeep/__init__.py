"""What other programs do to our networks is noticed (``seen``, ``firewall_watch``) and put right (``mending``)."""
