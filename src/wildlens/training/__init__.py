"""Shared parts of both trainings: batches, prefetching, checkpoints, processes."""
