"""Imported recipes beside the files that they come from."""
