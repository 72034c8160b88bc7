import pytest
import torch
from torch import nn

import lightning_acts as acts
from lightning_acts.zoo import ImageClassifier
from lightning_acts.zoo.models.vision import ConvNet, VisionTransformer


def test_a_conv_net_is_what_one_would_write() -> None:
    torch.manual_seed(0)
    net = ConvNet(1, 5, channels=[3, 4], activation=["mish", "relu"]).eval()
    x = torch.randn(2, 1, 9, 9)
    first, norm, _, _, second, norm_2, _, _, _, _, last = net
    h = nn.functional.max_pool2d(nn.functional.mish(norm(first(x))), 2, ceil_mode=True)  # type: ignore[operator]
    h = nn.functional.max_pool2d(torch.relu(norm_2(second(h))), 2, ceil_mode=True)  # type: ignore[operator]
    torch.testing.assert_close(net(x), last(h.mean((2, 3))))  # type: ignore[operator]


def test_a_vision_transformer_sees_where_a_patch_is() -> None:
    torch.manual_seed(0)
    net = VisionTransformer(1, 5, image_size=8, patch_size=4, dim=16, depth=2).eval()
    x = torch.randn(2, 1, 8, 8)
    moved = torch.cat([x[:, :, 4:], x[:, :, :4]], dim=2)
    assert (net(x) - net(moved)).abs().max() > 1e-5
    with torch.no_grad():
        net.positions.zero_()
    torch.testing.assert_close(net(x), net(moved))  # without places, patches are a set


@pytest.mark.parametrize(("backbone", "activation", "count"), [("cnn", "relu", 3), ("vit", "gelu", 4)])
def test_backbones_of_the_zoo_take_an_activation_or_are_swapped(backbone: str, activation: str, count: int) -> None:
    model = ImageClassifier(backbone, num_classes=3, in_channels=1, image_size=8, patch_size=2)
    assert model(model.example_input_array).shape == (2, 3)
    assert len(acts.swap(model, {activation: "mish"}).swapped) == count
    named = ImageClassifier(backbone, num_classes=3, in_channels=1, image_size=8, patch_size=2, activation="mish")
    assert [site.activation for site in acts.find(named) if site.role == "hidden"] == ["mish"] * count


def test_mistakes() -> None:
    with pytest.raises(
        ValueError, match="for the backbones cnn and vit; the activations of torchvision:resnet18 are swapped"
    ):
        ImageClassifier("torchvision:resnet18", activation="mish")
    with pytest.raises(ValueError, match=r"VisionTransformer\(patch_size=3\): divides no image of 8 pixels"):
        VisionTransformer(image_size=8, patch_size=3)
    with pytest.raises(ValueError, match=r"VisionTransformer\(dim=6, heads=4\)"):
        VisionTransformer(dim=6, heads=4)
    with pytest.raises(ValueError, match="at least one block"):
        ConvNet(channels=[])
