"""What ``network create`` asks for, checked and completed. Runs in the engine.

Offers: ``requests`` (the record of a request, its subnets), ``pools`` (which subnets are free), ``configurations`` (networks that are only a
configuration).
"""
