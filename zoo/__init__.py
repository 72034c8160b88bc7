"""LightningModules and LightningDataModules of many tasks."""

from .data.digits import Digits
from .data.fashion_mnist import FashionMNIST
from .models.image_classifier import ImageClassifier

__all__ = ["Digits", "FashionMNIST", "ImageClassifier"]
