"""Every model of the zoo with activations of every family."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader

import lightning_acts as acts
from lightning_acts import zoo

CLASSES = torch.tensor([0, 1, 2, 0])
#: A model of each class, small, and a batch for it.
MODELS: dict[str, tuple[Callable[[], L.LightningModule], tuple[Any, ...]]] = {
    "Autoencoder": (lambda: zoo.Autoencoder(image_size=8, channels=(4, 8), hidden=(8,)), (torch.rand(4, 1, 8, 8), CLASSES)),
    "BilinearMatcher": (lambda: zoo.BilinearMatcher(3, 5, width=8), ((torch.rand(4, 3), torch.rand(4, 5)), CLASSES % 2)),
    "ImageClassifier": (lambda: zoo.ImageClassifier(num_classes=3, image_size=8, small_images=True), (torch.rand(4, 3, 8, 8), CLASSES)),
    "GAN": (lambda: zoo.GAN(image_size=8, channels=(4, 8)), (torch.rand(4, 1, 8, 8), CLASSES)),
    "ImageSegmenter": (lambda: zoo.ImageSegmenter(num_classes=3, channels=(4, 8)), (torch.rand(4, 3, 16, 16), torch.zeros(4, 16, 16).long())),
    "ImplicitField": (lambda: zoo.ImplicitField(width=8), (torch.rand(4, 2), torch.rand(4, 3))),
    "LanguageModel": (lambda: zoo.LanguageModel(11, context=8, width=8, heads=2), (torch.randint(11, (4, 8)), torch.randint(11, (4, 8)))),
    "LinearRegressor": (lambda: zoo.LinearRegressor(3), (torch.rand(4, 3), torch.rand(4))),
    "PhysicsField": (lambda: zoo.PhysicsField(width=8), (torch.rand(4, 2), torch.tensor([True, True, False, False]), torch.zeros(4, 1))),
    "PretrainedModel": (lambda: zoo.PretrainedModel("timm:test_efficientnet", num_classes=3, image_size=32), (torch.rand(4, 3, 32, 32), CLASSES)),
    "SelfNormalizingMLP": (lambda: zoo.SelfNormalizingMLP(3, 3, width=8, depth=3), (torch.rand(4, 3), CLASSES)),
    "SequenceClassifier": (lambda: zoo.SequenceClassifier(width=8), (torch.rand(4, 1, 21), CLASSES)),
    "TabularClassifier": (lambda: zoo.TabularClassifier(3, 3, width=8), (torch.rand(4, 3), CLASSES)),
    "TabularRegressor": (lambda: zoo.TabularRegressor(3, width=8), (torch.rand(4, 3), torch.rand(4))),
    "TextClassifier": (lambda: zoo.TextClassifier("transformer", vocab_size=11, num_classes=3, length=8, width=8), (torch.randint(11, (4, 8)), CLASSES)),
    "VAE": (lambda: zoo.VAE(image_size=8, channels=(4, 8), hidden=(8,), draws=2), (torch.rand(4, 1, 8, 8), CLASSES)),
}  # fmt: skip
#: Of ten families, and one that changes the number of features, for which the layers around it have no room.
ACTIVATIONS = ["relu", "leaky_relu", "gelu", "tanh", "softplus", "sine", "prelu", "rrelu", "softmax(dim=1)", "elu"]
GATED = ["swiglu", "maxout"]
#: Without hidden layers.
LINEAR = ["LinearRegressor"]
SWAPPABLE = [name for name in MODELS if name not in LINEAR]


def hidden(model: L.LightningModule) -> list[acts.Site]:
    return [site for site in acts.find(model, model.example_input_array) if site.role == "hidden"]


def swapped(name: str, activation: str) -> L.LightningModule:
    torch.manual_seed(0)
    model = MODELS[name][0]()
    acts.swap(model, dict.fromkeys({site.original for site in hidden(model)}, activation), role="hidden")
    return model


def test_every_model_is_in_the_table() -> None:
    models = {name for name in zoo.__all__ if issubclass(getattr(zoo, name), L.LightningModule)}
    assert set(MODELS) == models


@pytest.mark.slow
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", SWAPPABLE)
def test_it_runs_forward_and_backward(name: str, activation: str) -> None:
    # Its one batch is a sample of the loader, as it is.
    model, samples = swapped(name, activation), DataLoader([MODELS[name][1]], batch_size=None)
    before = copy.deepcopy(model.state_dict())
    trainer = L.Trainer(accelerator="cpu", logger=False, fast_dev_run=True, enable_progress_bar=False, enable_model_summary=False)  # fmt: skip
    trainer.fit(model, samples, samples)
    trainer.test(model, samples, verbose=False)
    moved = [key for key, value in model.named_parameters() if not torch.equal(value, before[key])]
    assert moved
    assert all(value.isfinite().all() for value in model.parameters())


@pytest.mark.parametrize("activation", GATED)
@pytest.mark.parametrize("name", SWAPPABLE)
def test_what_changes_the_number_of_features_is_refused(name: str, activation: str) -> None:
    with pytest.raises(acts.SwapError, match=activation):
        swapped(name, activation)


@pytest.mark.parametrize("name", SWAPPABLE)
def test_all_hidden_activations_are_found_and_swapped(name: str) -> None:
    model = MODELS[name][0]()
    count = len(hidden(model))
    assert count
    model = swapped(name, "mish")
    assert [site.original for site in hidden(model)] == ["mish"] * count


def evaluated(model: L.LightningModule) -> Any:
    torch.manual_seed(0)
    example: Any = model.example_input_array
    return model.eval()(*example) if isinstance(example, tuple) else model.eval()(example)


@pytest.mark.parametrize("name", MODELS)
def test_copies_give_the_same(name: str) -> None:
    model = MODELS[name][0]() if name in LINEAR else swapped(name, "prelu")
    again = MODELS[name][0]() if name in LINEAR else swapped(name, "prelu")
    again.load_state_dict(model.state_dict())
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), again):
        torch.testing.assert_close(evaluated(copied), evaluated(model), rtol=0, atol=0)
