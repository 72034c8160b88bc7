"""What an activation is there for: hidden, gate, attention or output."""
