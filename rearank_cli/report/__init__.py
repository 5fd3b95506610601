"""Looking at what the model thought: on the terminal (`explain`) and as a page (`report`)."""
