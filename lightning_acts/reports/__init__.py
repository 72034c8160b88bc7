"""Pictures, and comparisons that end in one."""
