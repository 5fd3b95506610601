"""The embedded model as a reranker on a CPU: how good, and how fast."""
