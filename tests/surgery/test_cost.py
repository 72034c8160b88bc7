"""A swapped model executes what its hand-edited twin executes: the same operations, in the same order."""

import re
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
from lightning_acts.surgery.request import SHARES

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


class Calls(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 8)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.fc(x))


@pytest.mark.parametrize(("between", "runs"), [(nn.ReLU, 2), (Calls, 3)])
@pytest.mark.parametrize(("spec", "more"), [("mish", 0), ("prelu", 0), ("prelu(per=channel)", 1)])
def test_a_swap_runs_the_model_a_few_times(between: type[nn.Module], runs: int, spec: str, more: int) -> None:
    model, forwards = nn.Sequential(nn.Linear(4, 4), between(), nn.Flatten()), []
    model.register_forward_hook(lambda *_: forwards.append(1))
    acts.swap(model, {"relu": spec}, example_input=torch.randn(2, 4))
    # In eval and in train mode to find the sites, once to try calls; once more to count the channels.
    assert len(forwards) == runs + more


def test_a_parameter_a_channel_that_meets_two_widths_says_what_helps() -> None:
    class Reused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.act = nn.Linear(4, 8), nn.Linear(8, 5), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.act(self.second(self.act(self.first(x))))

    model, x = Reused(), torch.randn(2, 4)
    with pytest.raises(acts.SwapError, match='share="call" gives each call') as caught:
        acts.swap(model, {"relu": "prelu(per=channel)"}, example_input=x)
    assert set(re.findall(r'share="(\w+)"', str(caught.value))) <= set(SHARES)
    assert type(model.act) is nn.ReLU
    acts.swap(model, {"relu": "prelu(per=channel)"}, example_input=x, share="call")
    assert model(x).shape == (2, 5)
