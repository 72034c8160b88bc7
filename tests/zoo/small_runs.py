"""Every model of the zoo, small, with some of its data: for tests of ways to run them."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.data import Subset

from lightning_acts import zoo
from lightning_acts.zoo.data.base import ZooData
from lightning_acts.zoo.models.base import ZooModel

#: Steps are as exact as gradients: Adam's make much of the last digits of small ones.
_SGD = functools.partial(torch.optim.SGD, lr=0.01)
#: For a loss of hundreds.
_SLOW = functools.partial(torch.optim.SGD, lr=1e-5)
_IMAGES = {"image_size": 8, "channels": (4, 8)}

#: Classes, arguments, and data; what follows the name of a class tells variants apart.
RUNS: dict[str, tuple[Callable[..., ZooModel], dict[str, Any], Callable[[], ZooData]]] = {
    "Autoencoder": (zoo.Autoencoder, {**_IMAGES, "hidden": (8,)}, zoo.Digits),
    "BilinearMatcher": (zoo.BilinearMatcher, {"in_features1": 32, "in_features2": 32, "width": 8}, zoo.DigitPairs),
    "GAN": (zoo.GAN, _IMAGES, zoo.Digits),
    "ImageClassifier cnn": (zoo.ImageClassifier, {"backbone": "cnn", "in_channels": 1, "image_size": 8}, zoo.Digits),
    "ImageClassifier sigmoid": (zoo.ImageClassifier, {"backbone": "cnn", "in_channels": 1, "image_size": 16, "output": "sigmoid"}, zoo.ManyDigits),
    "ImageClassifier vit": (zoo.ImageClassifier, {"backbone": "vit", "in_channels": 1, "image_size": 8}, zoo.Digits),
    "ImageSegmenter": (zoo.ImageSegmenter, {"num_classes": 11, "channels": (4, 8)}, functools.partial(zoo.Scenes, train_scenes=300)),
    "ImplicitField": (zoo.ImplicitField, {"width": 8}, functools.partial(zoo.ImageField, size=16)),
    "LanguageModel": (zoo.LanguageModel, {"context": 8, "width": 8, "heads": 2}, functools.partial(zoo.Prose, context=8)),
    "LinearRegressor": (zoo.LinearRegressor, {"in_features": 10}, zoo.Diabetes),
    "PhysicsField heat": (zoo.PhysicsField, {"width": 8}, zoo.CollocationPoints),
    "PhysicsField burgers": (zoo.PhysicsField, {"equation": "burgers", "width": 8}, functools.partial(zoo.CollocationPoints, "burgers")),
    "PhysicsField poisson": (zoo.PhysicsField, {"equation": "poisson", "width": 8, "optimizer": _SLOW}, functools.partial(zoo.CollocationPoints, "poisson")),
    "SelfNormalizingMLP": (zoo.SelfNormalizingMLP, {"in_features": 30, "num_classes": 2, "width": 8, "depth": 3}, zoo.BreastCancer),
    "SequenceClassifier cnn": (zoo.SequenceClassifier, {"width": 8}, zoo.Waveforms),
    "SequenceClassifier gru": (zoo.SequenceClassifier, {"width": 8, "architecture": "gru"}, zoo.Waveforms),
    "TabularClassifier logits": (zoo.TabularClassifier, {"in_features": 13, "num_classes": 3, "width": 8}, zoo.Wine),
    "TabularClassifier log_softmax": (zoo.TabularClassifier, {"in_features": 13, "num_classes": 3, "width": 8, "output": "log_softmax"}, zoo.Wine),
    "TabularClassifier softmax": (zoo.TabularClassifier, {"in_features": 13, "num_classes": 3, "width": 8, "output": "softmax"}, zoo.Wine),
    "TabularRegressor linear": (zoo.TabularRegressor, {"in_features": 10, "width": 8, "architecture": "residual"}, zoo.Diabetes),
    "TabularRegressor softplus": (zoo.TabularRegressor, {"in_features": 10, "width": 8, "output": "softplus"}, zoo.Diabetes),
    "TextClassifier": (zoo.TextClassifier, {"encoder": "transformer", "length": 16, "width": 8}, functools.partial(zoo.Docstrings, length=16)),
    "VAE bernoulli": (zoo.VAE, {**_IMAGES, "hidden": (8,), "draws": 2}, zoo.Digits),
    "VAE gaussian": (zoo.VAE, {**_IMAGES, "hidden": (8,), "draws": 2, "likelihood": "gaussian", "positive": "exp", "scale": 1.0}, zoo.Digits),
}  # fmt: skip


def small_run(name: str, batch_size: int, counts: dict[str, int]) -> tuple[ZooModel, ZooData]:
    """Makes a model, and data of which some samples of each part are left; both the same whenever it is called."""
    make_model, arguments, make_data = RUNS[name]
    torch.manual_seed(0)
    model, data = make_model(**{"optimizer": _SGD, **arguments}), make_data()
    data.setup()
    generator = torch.Generator().manual_seed(0)
    data._parts = {
        part: Subset(dataset, torch.randperm(len(dataset), generator=generator)[: counts[part]].tolist())  # type: ignore[arg-type]
        for part, dataset in data._parts.items()
    }
    data.batch_size = batch_size
    return model, data
