import pytest
import torch
from torch import nn

from lightning_acts.zoo.models.layers import MLP, Residual, make_activations


def test_one_spec_for_all_or_one_for_each() -> None:
    alike = make_activations("prelu", 2)
    assert [type(module) for module in alike] == [nn.PReLU, nn.PReLU]
    assert alike[0] is not alike[1]
    assert [type(module) for module in make_activations(["relu", "silu"], 2)] == [nn.ReLU, nn.SiLU]
    with pytest.raises(ValueError, match="3 for 2 hidden layers; give one, or 2"):
        make_activations(["relu"] * 3, 2)


@pytest.mark.parametrize("spec", ["glu", "swiglu"])
def test_what_changes_shapes_is_refused_in_words(spec: str) -> None:
    with pytest.raises(ValueError, match=f"activation='{spec}' is gated: it gives another shape than it takes"):
        make_activations(["relu", spec], 2)


def test_an_mlp_is_what_one_would_write() -> None:
    torch.manual_seed(0)
    mlp = MLP(3, [5, 4], 2, ["tanh", "relu"], dropout=0.5).eval()
    x = torch.randn(7, 3)
    first, _, _, second, _, _, last = mlp
    expected = last(torch.relu(second(torch.tanh(first(x)))))  # type: ignore[operator]
    assert torch.equal(mlp(x), expected)
    assert [type(module).__name__ for module in MLP(3, [], 2)] == ["Linear"]


def test_a_residual_adds() -> None:
    block = nn.Linear(3, 3)
    x = torch.randn(2, 3)
    assert torch.equal(Residual(block)(x), x + block(x))
