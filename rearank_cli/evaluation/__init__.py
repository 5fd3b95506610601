"""Measuring runs: the only room that knows ir_measures."""
