import pytest
import torch
from torch import nn

from lightning_acts.zoo.models.image_coding import ImageDecoder, ImageEncoder, divided, size_after


@pytest.mark.parametrize(("channels", "hidden"), [([], []), ([], [5, 6]), ([3], []), ([3, 4], [5])])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_shapes_and_activations(channels: list[int], hidden: list[int], batch_norm: bool) -> None:
    specs = ["tanh", "mish", "silu"][: len(channels) + len(hidden)]
    encoder = ImageEncoder(2, 8, 7, channels, hidden, specs)
    decoder = ImageDecoder(7, 8, 2, channels, hidden, specs, batch_norm)
    images = torch.randn(3, 2, 8, 8)
    assert encoder(images).shape == (3, 7)
    assert decoder(encoder(images)).shape == images.shape
    classes = {"tanh": nn.Tanh, "mish": nn.Mish, "silu": nn.SiLU}
    for network in (encoder, decoder):
        found = [type(module) for module in network if type(module) in classes.values()]
        assert found == [classes[spec] for spec in specs]
    norms = [module for module in decoder if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]
    assert len(norms) == len(specs) * batch_norm


def test_the_decoder_mirrors_the_encoder() -> None:
    def sizes(network: nn.Sequential) -> list[tuple[int, int]]:
        return [(module.weight.shape[0], module.weight.shape[1]) for module in network if hasattr(module, "weight")]

    encoder, decoder = ImageEncoder(1, 8, 3, [4, 6], [9]), ImageDecoder(3, 8, 1, [4, 6], [9])
    assert sizes(encoder) == [(4, 1), (6, 4), (9, 24), (3, 9)]
    # A transposed convolution's weight is (in, out).
    assert sizes(decoder) == [(9, 3), (24, 9), (6, 4), (4, 1)]


def test_an_odd_image_is_not_halved() -> None:
    assert size_after(28, 2) == 7
    for size in (27, 14, 0):
        with pytest.raises(ValueError, match=rf"image_size={size} can't be halved 2 times"):
            ImageEncoder(1, size, 3, [4, 6])


def test_activations_are_divided_among_networks() -> None:
    assert divided("relu", 2, 3) == ["relu", "relu"]
    assert divided(["relu", "mish", "tanh"], 1, 2) == [["relu"], ["mish", "tanh"]]
    with pytest.raises(ValueError, match=r"2 for 3 hidden layers; give one, or 3"):
        divided(["relu", "mish"], 1, 2)
