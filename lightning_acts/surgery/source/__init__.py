"""Functions and their source: syntax trees, and what the names in them mean."""
