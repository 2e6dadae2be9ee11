"""The values of options: one module per Docker notation, each from text to schema types and nothing else."""
