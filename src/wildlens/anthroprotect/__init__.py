"""Make the training set from the published AnthroProtect dataset instead of from scenes."""
