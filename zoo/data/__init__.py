"""LightningDataModules, a file each."""
