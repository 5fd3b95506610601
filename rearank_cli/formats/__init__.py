"""Text files in and out: runs, judgements, topics, documents, and how files are written."""
