"""What a container may do: capabilities, seccomp, AppArmor, masked paths, user namespaces, limits, and which requests are refused.

``admission.check`` refuses or corrects a request, ``security.resolve`` gives the security settings of a container. Both run in an engine.
"""
