"""Where calls stand in the code of a model, and the same code with others in their place."""
