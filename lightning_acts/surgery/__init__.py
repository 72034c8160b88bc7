"""Find -> match -> replace -> report, and the way back. Knows models and modules; knows no Trainer."""
