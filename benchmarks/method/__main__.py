"""`python -m benchmarks.method FOLDER`: see tables.py."""

from benchmarks.method.tables import main

main()
