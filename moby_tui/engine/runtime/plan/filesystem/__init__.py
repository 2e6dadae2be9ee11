"""The part of a plan that makes a container's file system: root, mounts, devices, masked paths, and the stage that is made ahead."""
