"""What is kept on disk of each object: ``record_files`` reads and writes the records that lie beside the objects' own files."""
