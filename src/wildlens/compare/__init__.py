"""Change between two dates: maps, protected areas, and what two dates without change differ by."""
