"""``python -m lightning_acts``."""

from lightning_acts.cli.app import main

main()
