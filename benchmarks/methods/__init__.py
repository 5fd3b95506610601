"""Methods beside each other, with simulated judges of equal noise."""
