"""Benchmarks against the peers: the same work on the same machine in one run, told as ratios of medians."""
