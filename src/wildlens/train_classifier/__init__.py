"""Train the classifier of protected and anthropogenic tiles."""
