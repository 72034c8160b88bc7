"""How an activation is run: which tensors its backward keeps, and which of its passes are compiled."""
