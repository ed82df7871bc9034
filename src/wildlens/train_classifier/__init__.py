"""Train the classifier that tells protected from anthropogenic tiles."""
