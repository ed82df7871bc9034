"""What both trainings share: batches, prefetching, checkpoints, processes."""
