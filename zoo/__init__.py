"""LightningModules and LightningDataModules, a file each."""

from .digits import Digits
from .fashion_mnist import FashionMNIST
from .image_classifier import ImageClassifier

__all__ = ["Digits", "FashionMNIST", "ImageClassifier"]
