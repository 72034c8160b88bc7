"""A swapped model executes what its hand-edited twin executes: the same operations, in the same order."""

from collections.abc import Callable, Mapping
from typing import Any

import example_models as examples
import hand_edited
import pytest
import timm
import torch
import torchvision.models as vision
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import lightning_acts as acts

OLD = ("relu", "relu6", "gelu", "hardswish")


class Operations(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def executed(model: nn.Module, x: Tensor, training: bool) -> list[str]:
    model.train(training).zero_grad()
    torch.manual_seed(0)
    with Operations() as operations:
        output = model(x)
        sum(part.square().sum() for part in (output if isinstance(output, tuple) else (output,))).backward()
    return operations.names


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (vision.resnet18, (2, 3, 64, 64)),
        (vision.mobilenet_v2, (2, 3, 64, 64)),
        (vision.mobilenet_v3_small, (2, 3, 64, 64)),
        (lambda: vision.VisionTransformer(32, 16, 2, 2, 16, 32), (2, 3, 32, 32)),
        (lambda: timm.create_model("test_convnext"), (2, 3, 64, 64)),
        (lambda: vision.inception_v3(init_weights=False, aux_logits=False), (2, 3, 96, 96)),
        (lambda: vision.googlenet(init_weights=False), (2, 3, 96, 96)),
        (vision.densenet121, (2, 3, 64, 64)),
        (examples.Mnist, (2, 1, 28, 28)),
        (examples.Fno, (2, 16, 16, 3)),
        (hand_edited.Pitch, (2, 64)),
    ],
    ids=["resnet18", "mobilenet_v2", "mobilenet_v3", "vit", "convnext", "inception_v3", "googlenet", "densenet121", "mnist", "fno", "pitch"],
)  # fmt: skip
def test_the_operations_are_those_of_the_hand_edited_twin(
    make: Callable[[], nn.Module], shape: tuple[int, ...]
) -> None:
    model = make()
    twin = hand_edited.edited(model)
    x = torch.randn(shape)
    present = {site.activation.partition("(")[0] for site in acts.find(model, x) if site.role == "hidden"}
    original = executed(model, x, training=True)
    acts.swap(model, {name: "mish" for name in OLD if name in present}, example_input=x)
    for training in (False, True):
        operations = executed(model, x, training)
        assert operations == executed(twin, x, training)
    assert sum("mish" in name for name in operations) > 0 == sum("mish" in name for name in original)
