"""How many changes of the critical modules their own tests notice."""
