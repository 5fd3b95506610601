"""Lucene through Anserini: the only room that knows Java.

A process that has started Java must neither fork nor load vLLM afterwards; both are known to
crash. Commands of this room therefore run as processes of their own.
"""
