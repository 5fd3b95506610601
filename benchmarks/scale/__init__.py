"""Work that does not fit in memory: what it takes all the same."""
