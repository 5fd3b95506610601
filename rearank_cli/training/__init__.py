"""Teaching a model to rank lists: training data, reward, GRPO. The only room that knows TRL."""
