"""`rearank eval` beside the other ways to evaluate a run."""
