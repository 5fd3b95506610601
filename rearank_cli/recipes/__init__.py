"""How a model is asked: what it is shown, where texts are cut, how answers are drawn."""
