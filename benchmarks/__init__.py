"""Measurements side by side, each runnable by anyone with one command."""
