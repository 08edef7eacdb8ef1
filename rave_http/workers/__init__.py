"""The things that the workers of one service share: a run directory, messages, metrics, statistics."""
