"""The training set from the AnthroProtect dataset as published, instead of from scenes."""
