"""Log-probabilities of one model wherever it runs."""
