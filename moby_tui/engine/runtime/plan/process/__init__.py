"""The part of a plan that makes a process what was asked for: namespaces, user, capabilities, limits, scheduling, seccomp filter."""
