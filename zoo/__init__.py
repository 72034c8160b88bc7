"""LightningModules and LightningDataModules of many tasks."""

from .data.digits import Digits
from .data.fashion_mnist import FashionMNIST
from .models.autoencoder import Autoencoder
from .models.image_classifier import ImageClassifier
from .models.vae import VAE

__all__ = ["VAE", "Autoencoder", "Digits", "FashionMNIST", "ImageClassifier"]
