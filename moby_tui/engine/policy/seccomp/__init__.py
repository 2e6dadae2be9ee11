"""System call filters: from a profile in Docker's format to a program the kernel runs (seccomp(2))."""
