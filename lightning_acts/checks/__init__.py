"""What every activation has to pass: accuracy against its formula, and good behavior wherever torch puts a module."""
