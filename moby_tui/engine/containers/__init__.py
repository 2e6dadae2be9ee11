"""The containers service: create, start, stop, exec, copy, list. Runs in an engine.

``service.ContainerService`` is what ``Engine.containers`` offers, made of the runtime, images, networks and volumes. ``building`` runs the
RUN steps of builds. All else is private. ``parts.Parts`` holds what every module here is handed: paths, stores, managers, launcher.
"""
