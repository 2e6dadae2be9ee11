"""What is kept on disk of each object, in structs of its own: nothing here imports the Engine API's (``schema``).

Runs in an engine. ``containers`` has the rows and records of containers; ``record_files`` reads and writes the records that lie beside the
objects' own files.
"""
