"""Whole commands beside each other, over the same server, windows and answer lengths."""
