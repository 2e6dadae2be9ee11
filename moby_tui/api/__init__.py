"""The Docker Engine API: ``client`` speaks to an engine, near or over HTTP; ``server`` answers on a socket. Nothing else is here."""
