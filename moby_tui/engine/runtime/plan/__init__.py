"""From an OCI runtime configuration to a flat list of prepared system calls, which the first process then executes.

``container.compile_container`` and ``exec.compile_exec`` are the entrances; ``filesystem`` and ``process`` lay out their parts. Runs in the
first process made ahead, in monitors and in ``moby oci``. A plan that runs imports, decodes and looks up nothing (CVE-2019-14271).
"""
