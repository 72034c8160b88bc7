import sys
from types import ModuleType
from typing import Any

import pytest
from torch import nn

from lightning_acts.zoo.models.backbones import build_backbone


def named(num_classes: int, in_channels: int) -> nn.Module:
    return nn.Linear(in_channels, num_classes)


def classes(num_classes: int) -> nn.Module:
    return nn.Linear(1, num_classes)


def nothing() -> nn.Module:
    return nn.Linear(1, 2)


def anything(**options: Any) -> nn.Module:
    assert set(options) == {"num_classes"}
    return nn.Linear(1, options["num_classes"])


@pytest.mark.parametrize(("make", "shape"), [(named, (7, 5)), (classes, (7, 1)), (nothing, (2, 1)), (anything, (7, 1))])
def test_callables_are_given_what_they_take(make: Any, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("some_backbones")
    module.make = make  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "some_backbones", module)
    built = build_backbone("some_backbones:make", num_classes=7, in_channels=5)
    assert built.weight.shape == shape  # type: ignore[union-attr]


def test_libraries_are_given_what_theirs_take() -> None:
    network: Any = build_backbone("timm:test_vit", num_classes=7, in_channels=5)
    assert (network.patch_embed.proj.in_channels, network.head.out_features) == (5, 7)
    network = build_backbone("torchvision:squeezenet1_1", num_classes=7, in_channels=3, dropout=0.25)
    assert (network.classifier[1].out_channels, network.classifier[0].p) == (7, 0.25)
