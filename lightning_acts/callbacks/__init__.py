"""What a Trainer is given, and the loading of what it saved."""
