"""The configs that ship, as files."""
