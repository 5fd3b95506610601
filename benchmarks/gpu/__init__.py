"""What a real GPU makes of each schedule, with models of real shapes and random weights."""
