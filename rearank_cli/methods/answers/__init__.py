"""From a completion to an answer: one pure reader per kind."""
