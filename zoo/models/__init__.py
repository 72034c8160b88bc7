"""LightningModules, a file each."""
