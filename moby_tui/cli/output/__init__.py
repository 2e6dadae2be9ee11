"""What the commands print: tables, Go templates, progress."""
