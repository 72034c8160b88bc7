import copy
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision
from timm.layers import DropPath
from torch import Tensor, nn
from transformers.activations import ACT2FN

import lightning_acts as acts
from lightning_acts import registry
from lightning_acts.surgery.blend import Blend
from lightning_acts.surgery.recognizing import modules as recognition
from lightning_acts.surgery.recognizing.modules import blend_in_words, recognize
from lightning_acts.surgery.site import UNKNOWN_ACTIVATION


class Custom(nn.Module):
    """An elementwise function that nobody has registered, with whatever attributes a test gives it."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@pytest.mark.parametrize("module", [nn.Dropout(), nn.Dropout(0.0), nn.Dropout2d(), nn.AlphaDropout(), nn.Identity(), nn.BatchNorm2d(1), nn.LayerNorm(59), nn.Flatten(), nn.Linear(59, 59), nn.Conv2d(1, 1, 1), nn.Upsample(scale_factor=1.0), nn.MaxPool2d(1), nn.Sequential(nn.ReLU()), nn.LSTM(3, 3), DropPath(0.1), DropPath(0.0), nn.CrossEntropyLoss(), nn.ModuleList()])  # fmt: skip
def test_what_is_no_activation(module: nn.Module) -> None:
    for mode in (True, False):
        assert recognize(module.train(mode)) is None


@pytest.mark.parametrize(
    ("key", "spec"),
    [
        ("gelu", "gelu"), ("gelu_new", "gelu(approximate=tanh)"), ("gelu_fast", "gelu(approximate=tanh)"),
        ("gelu_pytorch_tanh", "gelu(approximate=tanh)"), ("gelu_python", "gelu"), ("relu", "relu"), ("silu", "silu"),
        ("swish", "silu"), ("mish", "mish"), ("tanh", "tanh"), ("sigmoid", "sigmoid"), ("relu6", "relu6"),
        ("quick_gelu", "quick_gelu"), ("relu2", "repu"), ("laplace", "laplace"), ("linear", None),
    ],
)  # fmt: skip
def test_transformers_own_classes_by_their_curves(key: str, spec: str | None) -> None:
    assert recognize(ACT2FN[key]) == spec


@pytest.mark.parametrize(
    ("function", "spec"),
    [
        (lambda x: x.clamp(min=0), "relu"),
        (lambda x: x * torch.tanh(F.softplus(x)), "mish"),
        (lambda x: torch.where(x > 0, x, 0.01 * x), "leaky_relu"),
        (lambda x: x * torch.sigmoid(1.702 * x), "quick_gelu"),
        (lambda x: torch.where(x > 0, x, 0.2 * x), "leaky_relu(negative_slope=0.2)"),
        (lambda x: torch.maximum(x, x / 3.5), "leaky_relu(negative_slope=0.28571429)"),
        (lambda x: torch.where(x > 0, x, 0.3 * torch.expm1(x)), "elu(alpha=0.3)"),
        (lambda x: torch.where(x > 0, x, 0.5 * torch.expm1(x / 0.5)), "celu(alpha=0.5)"),
        (lambda x: torch.where(x > 0, x, 4 * torch.expm1(x / 4)), "celu(alpha=4.0)"),
        (lambda x: torch.logaddexp(2.5 * x, torch.zeros(())) / 2.5, "softplus(beta=2.5)"),
        (lambda x: torch.where(x > 0, x, 0.2 * x) + 1e-4, UNKNOWN_ACTIVATION),
        (lambda x: torch.where(x > 0, x, 0.2 * x + 1e-3 * x * torch.exp(x)), UNKNOWN_ACTIVATION),
        (lambda x: torch.sin(x), "sin"),
        (lambda x: torch.sin(30 * x), "sine"),
        (lambda x: torch.sin(2.7 * x), "sine(omega=2.7)"),
        (lambda x: torch.sin(300 * x), "sine(omega=300.0)"),
        (lambda x: torch.sin(math.pi * x), "sine(omega=3.1415927)"),
        (lambda x: torch.sin(2.7 * x) + 1e-4, UNKNOWN_ACTIVATION),
        (lambda x: x + torch.sin(5 * x) ** 2 / 5, "snake(alpha=5.0)"),
        (lambda x: x + torch.sin(0.3 * x) ** 2 / 0.3, "snake(alpha=0.3)"),
        (lambda x: x + torch.sin(5 * x) ** 2 / 4, UNKNOWN_ACTIVATION),
        (lambda x: x + torch.sin(1e3 * x), UNKNOWN_ACTIVATION),
        (lambda x: 2 * x + 1, None),
        (lambda x: x, None),
        (lambda x: x / x.norm(), None),
        (lambda x: x - x.mean(), None),
        (lambda x: torch.softmax(x, -1), None),
        (lambda x: x.flatten(), None),
        (lambda x: x > 0, None),
        (lambda x: x + torch.randn_like(x), None),
        (lambda x: (x, x), None),
        (lambda x: x @ torch.ones(3, 3), None),
    ],
)
def test_custom_modules_by_their_curves(function: Any, spec: str | None) -> None:
    assert recognize(Custom(function)) == spec


def test_learnable_and_fixed_are_different() -> None:
    module = Custom(F.relu)
    module.slope = nn.Parameter(torch.zeros(1))
    assert recognize(module) == UNKNOWN_ACTIVATION


def test_a_layer_with_many_parameters_or_a_buffer_is_not_probed() -> None:
    big, buffered = Custom(F.relu), Custom(F.relu)
    big.weight = nn.Parameter(torch.zeros(5000))
    buffered.register_buffer("scale", torch.ones(1))
    assert recognize(big) is None and recognize(buffered) is None


class WithResidual(nn.Module):
    def forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        return F.relu(x if residual is None else x + residual)


@pytest.mark.parametrize(
    "module",
    [
        Custom(lambda x: x * torch.sigmoid(x.mean(1, keepdim=True))),
        Custom(lambda x: x.relu().sum(1, keepdim=True)),
        Custom(lambda x: F.relu(x.transpose(1, 2))),
        Custom(lambda x: x / x.square().mean(1, keepdim=True).add(1e-8).sqrt()),
        WithResidual(),
    ],
)
def test_what_mixes_channels_or_inputs_is_no_activation(module: nn.Module) -> None:
    assert recognize(module) is None


class Stateful(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        self.seen += 1
        with torch.no_grad():
            self.scale += 1
        return torch.relu(x)


def test_probing_changes_nothing() -> None:
    module = Stateful()
    module.register_forward_hook(lambda *_: pytest.fail("a hook of the original ran"))
    rng = torch.get_rng_state()
    assert recognize(module) is not None
    assert module.seen == 0 and module.scale.item() == 1 and module.training and module.scale.requires_grad
    assert module.scale.dtype is torch.float32
    assert torch.equal(rng, torch.get_rng_state())


def test_on_the_meta_device_types_alone_are_known() -> None:
    with torch.device("meta"):
        module = Custom(F.relu)
        module.slope = nn.Parameter(torch.zeros(1))
    assert recognize(module) == UNKNOWN_ACTIVATION
    assert recognize(nn.PReLU(device="meta")) == "prelu"


def test_known_types_need_no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "_curve", lambda _: pytest.fail("a curve was computed"))
    model = torchvision.models.resnet50()
    assert {recognition.recognize(module) for module in model.modules()} == {None, "relu(inplace=True)"}


def test_torchs_name_comes_first() -> None:
    specs, _ = recognition._known_curves(registry.version())
    own = [acts.info(spec.name).target.__module__.startswith("torch.nn") for spec in specs]
    assert own == sorted(own, reverse=True) and any(own) and not all(own)


class Swish(nn.Module):
    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.tensor(beta))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.beta * x)


def test_unknown_activations_are_named_by_class_and_path() -> None:
    model = nn.Sequential(nn.Linear(2, 2), Swish(1.5), nn.Linear(2, 2), Swish(1.5))
    assert [(site.activation, site.role) for site in acts.find(model)] == [(UNKNOWN_ACTIVATION, "hidden")] * 2
    acts.swap(model, {Swish: "mish"}, include="1")
    assert isinstance(model[1], nn.Mish) and isinstance(model[3], Swish)


@pytest.mark.parametrize("shape", [(1,), (1, 6, 1)])
def test_a_learnable_snake_is_one_whatever_its_shape(shape: tuple[int, ...]) -> None:
    class Snake(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.alpha = nn.Parameter(torch.full(shape, 1.7))

        def forward(self, x: Tensor) -> Tensor:
            return x + torch.sin(self.alpha * x) ** 2 / (self.alpha + 1e-9)

    class Scaled(Snake):
        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(x * self.alpha)

    assert recognize(Snake()) == "snake"
    assert recognize(Scaled()) == (UNKNOWN_ACTIVATION if shape == (1,) else None)  # its relu is a call then


class Chain(nn.ModuleList):
    def forward(self, x: Tensor) -> Tensor:
        for module in self:
            x = module(x)
        return x


def test_what_swaps_have_composed_is_no_activation() -> None:
    """Mish after ReLU is SC-Mish, which nobody has asked for."""
    assert recognize(Chain([nn.ReLU(), nn.Mish()])) == "sc_mish"
    chain = Chain([nn.ReLU(), nn.LeakyReLU()])
    model = nn.Sequential(chain, nn.Linear(4, 4))
    report = acts.swap(model, {"leaky_relu": "mish"})
    for one in (model, copy.deepcopy(model), nn.Sequential(Chain(chain), nn.Linear(4, 4))):
        for example in (None, torch.ones(3, 4)):
            sites = acts.find(one, example)
            assert [(site.path, site.activation) for site in sites] == [("0.0", "relu"), ("0.1", "mish")]
    acts.swap(chain, {"1": lambda site: nn.GELU()})  # nor is it refused as an activation itself
    assert [site.activation for site in acts.find(model)] == ["relu", "gelu"]
    acts.restore(chain)
    assert "1 site" in report.summary and recognize(chain) is None
    with acts.swapped(model, {"*": Chain([nn.ReLU(), nn.Mish()])}):
        assert [site.activation for site in acts.find(model)] == ["sc_mish", "sc_mish"]


def test_a_blend_is_one_activation_in_words() -> None:
    def blend(old: nn.Module, new: nn.Module, amount: float) -> Blend:
        made = Blend(old, new)
        made.set(amount)
        return made

    inner = blend(nn.ReLU(), nn.LeakyReLU(0.2), 0.25)
    assert blend_in_words(inner) == "blend of relu and leaky_relu(negative_slope=0.2), 25% taken over"
    assert blend_in_words(blend(inner, nn.Mish(), 0.0)) == f"blend of {blend_in_words(inner)} and mish, 0% taken over"
    over = blend(nn.ReLU(), nn.GELU(), 1.0)
    assert blend_in_words(blend(over, nn.Mish(), 0.5)) == "blend of gelu and mish, 50% taken over"
    assert blend_in_words(over) is blend_in_words(nn.ReLU()) is None
