"""Fused paths of torch's transformer modules, against models made with the activation in their constructor."""

from __future__ import annotations

import copy
import pickle
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.definition import REQUIRED

pytestmark = [
    pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning"),
    pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning"),
]

X = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
PADDING = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])


def encoder(activation: object = F.relu, layers: int = 2) -> nn.TransformerEncoder:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, activation=activation)  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return nn.TransformerEncoder(layer, layers).eval()


def padded(model: nn.Module) -> Tensor:
    with torch.no_grad():
        return model(X, src_key_padding_mask=PADDING)  # type: ignore[no-any-return]


def elementwise() -> list[str]:
    return [
        name
        for name in acts.names()
        if acts.info(name).kind == "elementwise" and all(p.default is not REQUIRED for p in acts.info(name).parameters)
    ]


@pytest.mark.parametrize("example", [None, X], ids=["without an example", "with one"])
@pytest.mark.parametrize("activation", [F.relu, nn.ReLU(), F.gelu])
def test_an_encoder_computes_what_one_made_with_the_activation_does(activation: object, example: Tensor | None) -> None:
    model = encoder(activation)
    twin = encoder(nn.Mish())
    twin.load_state_dict(model.state_dict())
    report = acts.swap(model, {"relu": "mish", "gelu": "mish"}, example_input=example)
    torch.testing.assert_close(padded(model), padded(twin), rtol=0, atol=0)
    assert any("under a padding mask" in note for note in report.notes)
    acts.verify(model, {"src": X, "src_key_padding_mask": PADDING})


def test_every_layer_counts_not_the_first_alone() -> None:
    model = encoder(layers=3)
    flags = [model.use_nested_tensor]
    acts.swap(model, {"relu": "mish"}, include="layers.2.*")
    flags.append(model.use_nested_tensor)
    assert flags == [True, False] and padded(model).isfinite().all()
    assert [layer.activation_relu_or_gelu for layer in model.layers] == [1, 1, 0]


@pytest.mark.parametrize("copied", [lambda m: m, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_restoring_gives_the_fused_paths_back(copied: object) -> None:
    model = encoder()
    before = padded(model)
    acts.swap(model, {"relu": "mish"})
    acts.swap(model, {"mish": "silu"})
    model = copied(model)  # type: ignore[operator]
    acts.restore(model)
    assert model.use_nested_tensor and all(layer.activation_relu_or_gelu == 1 for layer in model.layers)
    assert torch.equal(padded(model), before)


def test_an_encoder_deep_in_a_model_and_one_whose_swap_failed() -> None:
    model = nn.Transformer(8, 2, 1, 1, 16, dropout=0.0, batch_first=True).eval()
    before = {"src": X, "tgt": X, "src_key_padding_mask": PADDING}
    with torch.no_grad():
        expected = model(**before)
    with pytest.raises(acts.SwapError):
        acts.swap(model, {"relu": lambda site: 3 if "decoder" in site.path else "mish"})
    assert model.encoder.use_nested_tensor
    acts.swap(model, {"relu": "mish"}, example_input=before)
    with torch.no_grad():
        assert model(**before).isfinite().all()
    acts.restore(model)
    with torch.no_grad():
        assert torch.equal(model(**before), expected)


def test_a_layer_alone_says_what_an_encoder_around_it_may_do() -> None:
    report = acts.swap(encoder().layers[0], {"relu": "mish"})
    assert any("nested tensors" in note for note in report.notes)


@pytest.mark.slow
@pytest.mark.parametrize("name", elementwise())
def test_every_activation_bears_a_padding_mask(name: str) -> None:
    model = encoder()
    acts.swap(model, {"relu": name})
    assert padded(model).shape == X.shape
