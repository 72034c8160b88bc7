"""Studies: which activation is best here, how sure that is, and what it cost."""
