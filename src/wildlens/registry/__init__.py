"""Registry of attribution methods and classifiers of this and other installed packages."""
