"""Where a build's files come from: the context, named contexts, base images, repositories. Runs in an engine, for one build."""
