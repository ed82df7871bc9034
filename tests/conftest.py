"""Order of the tests: files that take minutes first, so that no worker ends with one alone."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("minutes") is None)
