import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lightning_acts.zoo.models.tabular import make_network


def test_an_mlp() -> None:
    network = make_network("mlp", 3, 2, width=5, depth=2, activation=["relu", "tanh"], dropout=0.0)
    assert [type(layer).__name__ for layer in network] == ["Linear", "ReLU", "Linear", "Tanh", "Linear"]  # type: ignore[arg-type]


def test_a_residual_network_is_the_papers() -> None:
    torch.manual_seed(0)
    network = make_network("residual", 3, 2, width=4, depth=2, activation=["relu", "tanh", "silu"], dropout=0.3).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_()  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    x = torch.randn(7, 3)
    first, *blocks, norm, _, last = network
    expected = first(x)
    for block, function in zip(blocks, (torch.relu, torch.tanh), strict=True):
        before, wide, _, _, narrow, _ = block.block
        assert wide.out_features == 8
        expected = expected + narrow(function(wide(before(expected))))
    torch.testing.assert_close(network(x), last(F.silu(norm(expected))))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "resnet"}, "architecture='resnet': mlp or residual"),
        ({"architecture": "residual", "activation": ["relu", "relu"]}, "2 for 3 hidden layers"),
        ({"architecture": "mlp", "activation": ["relu"]}, "1 for 2 hidden layers"),
    ],
)
def test_mistakes(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_network(**{"in_features": 3, "out_features": 2, "width": 4, "depth": 2, "activation": "relu", "dropout": 0.0, **options})  # type: ignore[arg-type]  # fmt: skip
