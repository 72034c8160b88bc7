"""LightningModules and LightningDataModules, a file each."""

from .digits import Digits
from .image_classifier import ImageClassifier

__all__ = ["Digits", "ImageClassifier"]
