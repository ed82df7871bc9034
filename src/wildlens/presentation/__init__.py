"""What people see: the figures of a run, its page, styles for QGIS, a catalogue."""
