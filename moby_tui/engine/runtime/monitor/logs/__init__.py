"""What containers write, kept and read back: the log drivers, their options, and the reader."""
