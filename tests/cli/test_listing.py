import json
from collections.abc import Callable

from click.testing import Result


def test_ls(invoke: Callable[..., Result]) -> None:
    found = json.loads(invoke("ls", "activations", "*elu", "--json").stdout)
    assert {entry["name"] for entry in found} >= {"relu", "elu", "gelu", "celu", "prelu", "selu"}
    cheap = invoke("ls", "activations", "--bounded", "--no-needs-exp", "--zero-centered").stdout
    assert "hardtanh " in cheap and "tanh " in cheap and "\nrelu6 " not in cheap and "\nerf " not in cheap
    assert "torchvision:resnet18" in invoke("ls", "models", "torchvision:resnet*").stdout
    assert "lightning_acts.zoo.FashionMNIST" in invoke("ls", "data").stdout
