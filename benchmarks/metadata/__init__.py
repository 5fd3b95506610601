"""Origins of runs against the published checklists of ir_metadata."""
