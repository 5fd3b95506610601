"""Engines: what answers a prompt. The only room that knows libraries for language models."""
