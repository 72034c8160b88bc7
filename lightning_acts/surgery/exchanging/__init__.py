"""What goes where, and the way in."""
