"""One result of the members' results: their mean, their standard deviation and their agreement."""
