from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import safetensors.torch
import timm
import torch
import torchvision
from torch import nn

from lightning_acts.models import ModelError, build, options_of


def test_torchvision() -> None:
    torch.manual_seed(0)
    model = build("torchvision:resnet18", num_classes=7)
    torch.manual_seed(0)
    reference = torchvision.models.resnet18(num_classes=7)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), reference.parameters(), strict=True))


def test_timm() -> None:
    model = build("timm:resnet10t", num_classes=7, in_chans=1).eval()
    assert type(model) is type(timm.create_model("resnet10t"))
    assert model(torch.zeros(1, 1, 32, 32)).shape == (1, 7)


def test_an_import_path() -> None:
    assert repr(build("torch.nn:Linear", in_features=2, out_features=3)) == repr(nn.Linear(2, 3))
    assert type(build("torchvision.models:resnet.resnet18")).__name__ == "ResNet"


@pytest.mark.parametrize("given", ["argument", "suffix"])
def test_weights_of_ones_own(tmp_path: Path, given: str) -> None:
    path = tmp_path / "weights.pt"
    reference = torchvision.models.resnet18(num_classes=3)
    torch.save(reference.state_dict(), path)
    if given == "argument":
        model = build("torchvision:resnet18", weights=str(path), num_classes=3)
    else:
        model = build(f"torchvision:resnet18@{path}", num_classes=3)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), reference.parameters(), strict=True))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("resnet18", "'resnet18' names no model: write torchvision:NAME.*as in torchvision:resnet18"),
        ("torchvision:", "names no model"),
        ("torchvision:resnet18@", "names no model"),
        ("torchvison:resnet18", "no module 'torchvison'; did you mean 'torchvision'"),
        ("torchvision:resnet81", "torchvision has no model 'resnet81'; did you mean 'resnet18'"),
        ("timm:resnett18", "timm has no model 'resnett18'; did you mean 'resnet18'"),
        ("timm:resnet18.a1_in1", "timm:resnet18 has no weights 'a1_in1'; did you mean 'a1_in1k'"),
        ("torchvision:resnet18@IMAGNET1K_V1", "no weights 'IMAGNET1K_V1'.*did you mean 'IMAGENET1K_V1'.*default"),
        ("timm:resnet18@a1_in1", "no weights 'a1_in1'.*did you mean 'a1_in1k'"),
        ("timm:resnet18.a1_in1k@a2_in1k", "names the weights 'a1_in1k', and 'a2_in1k' are asked for"),
        ("torch.nn:Linearr", "'torch.nn' has no 'Linearr'; did you mean 'Linear'"),
        ("torch.no_such:x", "no module 'torch.no_such'"),
        ("torch:nn", "no callable that makes a model, but of type module"),
        ("builtins:dict", "made no torch.nn.Module, but an object of type dict"),
        ("torch.nn:ReLU@default", "has no weights of its own"),
        ("torchvision:resnet18@/no/such/file.pt", "no weights '/no/such/file.pt', and no file is called so"),
    ],
)
def test_mistakes(model: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        build(model)


def test_weights_given_twice() -> None:
    with pytest.raises(ModelError, match="given both in 'torchvision:resnet18@default' and beside it"):
        build("torchvision:resnet18@default", weights="default")


def test_weights_of_another_model_and_what_is_no_state_dict(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "linear.pt")
    torch.save([1], tmp_path / "list.pt")
    with pytest.raises(RuntimeError, match="Missing key"):
        build("torchvision:resnet18", weights=tmp_path / "linear.pt")
    with pytest.raises(ModelError, match=r"list.pt holds no state dict, but an object of type list"):
        build("torchvision:resnet18", weights=tmp_path / "list.pt")


def test_safetensors(tmp_path: Path) -> None:
    reference = nn.Linear(2, 3)
    safetensors.torch.save_file(reference.state_dict(), tmp_path / "linear.safetensors")
    model = build("torch.nn:Linear", weights=tmp_path / "linear.safetensors", in_features=2, out_features=3)
    assert torch.equal(model.weight, reference.weight)  # type: ignore[arg-type]


def test_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    with pytest.raises(
        OSError, match=r"could not fetch https://.*/(resnet18.*\.pth) .*no route.*put this file at .*/\1"
    ):
        build("torchvision:resnet18@default")
    monkeypatch.setattr("timm.create_model", unreachable)
    with pytest.raises(OSError, match=r"could not fetch https://huggingface.co/timm/resnet18.a1_in1k .*weights=PATH"):
        build("timm:resnet18.a1_in1k@default")


def test_weights_for_another_number_of_classes_lose_the_head_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pretrained = torchvision.models.resnet18()
    fetched = "torchvision.models._api.load_state_dict_from_url"
    monkeypatch.setattr(fetched, lambda *_, **__: pretrained.state_dict())
    model = build("torchvision:resnet18@default", num_classes=5)
    assert model.fc.weight.shape == (5, 512)  # type: ignore[union-attr]
    body = {name: value for name, value in model.state_dict().items() if not name.startswith("fc.")}
    assert all(torch.equal(value, pretrained.state_dict()[name]) for name, value in body.items())
    assert torch.equal(build("torchvision:resnet18@default", num_classes=1000).fc.weight, pretrained.fc.weight)


def test_options() -> None:
    assert options_of("torch.nn:Flatten") == {"start_dim", "end_dim"}
    assert options_of("torchvision:resnet18") is None
