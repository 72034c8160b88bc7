"""LightningModules and LightningDataModules of many tasks."""

from .data.digit_pairs import DigitPairs
from .data.digits import Digits
from .data.fashion_mnist import FashionMNIST
from .data.table_file import TableFile
from .data.tabular import BreastCancer, Diabetes, Wine
from .models.autoencoder import Autoencoder
from .models.bilinear_matcher import BilinearMatcher
from .models.image_classifier import ImageClassifier
from .models.linear_regressor import LinearRegressor
from .models.self_normalizing_mlp import SelfNormalizingMLP
from .models.tabular_classifier import TabularClassifier
from .models.tabular_regressor import TabularRegressor
from .models.vae import VAE

__all__ = [
    "VAE",
    "Autoencoder",
    "BilinearMatcher",
    "BreastCancer",
    "Diabetes",
    "DigitPairs",
    "Digits",
    "FashionMNIST",
    "ImageClassifier",
    "LinearRegressor",
    "SelfNormalizingMLP",
    "TableFile",
    "TabularClassifier",
    "TabularRegressor",
    "Wine",
]
