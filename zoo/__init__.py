"""LightningModules and LightningDataModules of many tasks."""

from .data.collocation_points import CollocationPoints
from .data.digit_pairs import DigitPairs
from .data.digits import Digits
from .data.docstrings import Docstrings
from .data.fashion_mnist import FashionMNIST
from .data.hugging_face_images import HuggingFaceImages
from .data.image_field import ImageField
from .data.image_folder import ImageFolder
from .data.many_digits import ManyDigits
from .data.prose import Prose
from .data.scenes import Scenes
from .data.signal_field import SignalField
from .data.table_file import TableFile
from .data.tabular import BreastCancer, Diabetes, Wine
from .data.text_file import TextFile
from .data.torchvision_data import TorchvisionData
from .data.waveforms import Waveforms
from .models.autoencoder import Autoencoder
from .models.bilinear_matcher import BilinearMatcher
from .models.gan import GAN
from .models.image_classifier import ImageClassifier
from .models.image_segmenter import ImageSegmenter
from .models.implicit_field import ImplicitField
from .models.language_model import LanguageModel
from .models.linear_regressor import LinearRegressor
from .models.physics_field import PhysicsField
from .models.pretrained_model import PretrainedModel
from .models.self_normalizing_mlp import SelfNormalizingMLP
from .models.sequence_classifier import SequenceClassifier
from .models.tabular_classifier import TabularClassifier
from .models.tabular_regressor import TabularRegressor
from .models.text_classifier import TextClassifier
from .models.vae import VAE

__all__ = [
    "GAN",
    "VAE",
    "Autoencoder",
    "BilinearMatcher",
    "BreastCancer",
    "CollocationPoints",
    "Diabetes",
    "DigitPairs",
    "Digits",
    "Docstrings",
    "FashionMNIST",
    "HuggingFaceImages",
    "ImageClassifier",
    "ImageField",
    "ImageFolder",
    "ImageSegmenter",
    "ImplicitField",
    "LanguageModel",
    "LinearRegressor",
    "ManyDigits",
    "PhysicsField",
    "PretrainedModel",
    "Prose",
    "Scenes",
    "SelfNormalizingMLP",
    "SequenceClassifier",
    "SignalField",
    "TableFile",
    "TabularClassifier",
    "TabularRegressor",
    "TextClassifier",
    "TextFile",
    "TorchvisionData",
    "Waveforms",
    "Wine",
]
