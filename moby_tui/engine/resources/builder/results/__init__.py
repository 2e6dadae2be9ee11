"""Where a built image goes: the image store, a registry, a tar archive or a folder of the caller. Runs in an engine, at a build's end."""
