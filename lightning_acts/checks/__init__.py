"""What every activation has to pass: accuracy against its formula, and good behaviour wherever torch puts a module."""
