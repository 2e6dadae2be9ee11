"""The commands about images: ``pull``, ``push``, ``images``, ``save``, ``load`` and the rest. They run in the process that was called."""
