"""Models with Mish where they had another activation, edited as one does by hand who has no tool."""

import copy
from collections.abc import Callable

import example_models as examples
import torch
import torch.nn.functional as F
import torchvision.models as vision
from timm.layers import GELUTanh
from torch import Tensor, nn
from torchvision.models.googlenet import BasicConv2d as GoogLeNetConv
from torchvision.models.googlenet import InceptionAux as GoogLeNetAux
from torchvision.models.inception import BasicConv2d as InceptionConv


def with_other_modules(model: nn.Module, old: type[nn.Module], new: Callable[[], nn.Module] = nn.Mish) -> nn.Module:
    """A copy with other modules in the place of all those of a class; what is shared stays shared."""
    edited = copy.deepcopy(model)
    memo: dict[nn.Module, nn.Module] = {}
    for parent in list(edited.modules()):
        for name, child in list(parent._modules.items()):
            if type(child) is old:
                parent._modules[name] = memo.setdefault(child, new())
    return edited


def with_other_forwards(model: nn.Module, forwards: dict[type[nn.Module], type[nn.Module]]) -> nn.Module:
    """A copy in which modules are of the subclasses below, whose forwards are written anew."""
    edited = copy.deepcopy(model)
    for module in edited.modules():
        if type(module) in forwards:
            module.__class__ = forwards[type(module)]
    return edited


class InceptionConvByHand(InceptionConv):
    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = self.bn(x)
        return F.mish(x)


class GoogLeNetConvByHand(GoogLeNetConv):
    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = self.bn(x)
        return F.mish(x)


class GoogLeNetAuxByHand(GoogLeNetAux):
    def forward(self, x: Tensor) -> Tensor:
        x = F.adaptive_avg_pool2d(x, (4, 4))
        x = self.conv(x)
        x = torch.flatten(x, 1)
        x = F.mish(self.fc1(x))
        x = self.dropout(x)
        return self.fc2(x)


class DenseNetByHand(vision.DenseNet):
    def forward(self, x: Tensor) -> Tensor:
        features = self.features(x)
        out = F.mish(features)
        out = F.adaptive_avg_pool2d(out, (1, 1))
        out = torch.flatten(out, 1)
        return self.classifier(out)


class MnistByHand(examples.Mnist):
    def forward(self, x: Tensor) -> Tensor:
        x = F.mish(self.conv1(x))
        x = F.mish(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = self.dropout1(x)
        x = torch.flatten(x, 1)
        x = F.mish(self.fc1(x))
        x = self.dropout2(x)
        x = self.fc2(x)
        return F.log_softmax(x, dim=1)


class FnoByHand(examples.Fno):
    def forward(self, x: Tensor) -> Tensor:
        x = self.p(x).permute(0, 3, 1, 2)
        for index, (conv, w) in enumerate(zip(self.convs, self.ws, strict=True)):
            x = conv(x) + w(x)
            if index < 2:
                x = F.mish(x)
        return self.q2(F.mish(self.q1(x.permute(0, 2, 3, 1))))


class Pitch(nn.Module):
    """As torchcrepe is written: layers in attributes, one method for all, F.relu in it."""

    def __init__(self) -> None:
        super().__init__()
        for index, (before, after) in enumerate([(1, 8), (8, 4), (4, 4)], 1):
            setattr(self, f"conv{index}", nn.Conv2d(before, after, (8, 1)))
            setattr(self, f"conv{index}_BN", nn.BatchNorm2d(after))
        self.classifier = nn.Linear(4 * 43, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, None, :, None]
        for index in (1, 2, 3):
            x = self.layer(x, getattr(self, f"conv{index}"), getattr(self, f"conv{index}_BN"))
        return torch.sigmoid(self.classifier(x.flatten(1)))

    def layer(self, x: Tensor, conv: nn.Module, batch_norm: nn.Module) -> Tensor:
        x = conv(x)
        x = F.relu(x)
        return F.max_pool2d(batch_norm(x), (1, 1))


class PitchByHand(Pitch):
    def layer(self, x: Tensor, conv: nn.Module, batch_norm: nn.Module) -> Tensor:
        x = conv(x)
        x = F.mish(x)
        return F.max_pool2d(batch_norm(x), (1, 1))


def edited(model: nn.Module) -> nn.Module:
    """The twin of a model, with Mish for each of its hidden activations."""
    for old in (nn.ReLU, nn.ReLU6, nn.GELU, nn.Hardswish, GELUTanh):
        model = with_other_modules(model, old)
    return with_other_forwards(
        model,
        {
            InceptionConv: InceptionConvByHand,
            GoogLeNetConv: GoogLeNetConvByHand,
            GoogLeNetAux: GoogLeNetAuxByHand,
            vision.DenseNet: DenseNetByHand,
            examples.Mnist: MnistByHand,
            examples.Fno: FnoByHand,
            Pitch: PitchByHand,
        },
    )
