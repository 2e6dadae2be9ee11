"""Builds images from Dockerfiles. ``builder.ImageBuilder`` is the entrance, in an engine.

``job`` is one build: ``sources`` are its contexts, ``graph`` its stages and their cache, ``execution`` what RUN, COPY and ADD do,
``results`` where the image goes, ``checks`` the warnings, ``llb`` the names that BuildKit's caches give to steps. A RUN step is a container:
``step`` is what ``containers/building/`` is handed. ``commit`` makes its layer with ``execution`` and its image with ``image``. All else
is private.
"""
