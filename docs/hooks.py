"""Leaves pages out of the navigation that are not there: a strict build would stop at them."""

from pathlib import Path


def on_config(config):
    """Called by MkDocs when its configuration is read."""
    config.nav = list(_present(config.nav, Path(config.docs_dir)))
    return config


def _present(entries, folder: Path):
    for entry in entries:
        title, target = next(iter(entry.items()))
        if isinstance(target, list):
            yield {title: list(_present(target, folder))}
        elif (folder / target).is_file():
            yield entry
