"""The table of the API's operations: each is declared once, as a method of its family with path, query, body, answer and statuses.

The client for an engine elsewhere (``api/client``) makes its requests of it, the server (``api/server``) its routes and their decoding,
and the OpenAPI document describes it. Runs in each process that speaks or answers the API. A family has a module of its own, so that a
command imports the family that it calls; ``operation`` and ``fields`` have what a declaration is made of.
"""
