"""The contestants: each knows how to be installed on its stage and how to do what a row asks."""
