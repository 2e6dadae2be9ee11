"""The history of containers on disk: what they used, and the end of the log of those that were removed.

``journal`` appends and reads records in engines; ``records`` says what a record is. Events have a journal of their own (``events/``).
"""
