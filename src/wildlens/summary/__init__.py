"""The run's main numbers and warnings: on the console, and on one page."""
