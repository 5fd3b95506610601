"""The server itself, measured."""
