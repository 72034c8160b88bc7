import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from lightning_acts.zoo import ImageField


def test_pixels_are_those_of_pillow() -> None:
    _, colors = ImageField("china", size=32).grid()
    photograph = Image.fromarray(load_sample_image("china.jpg")).crop((106, 0, 533, 427))
    expected = torch.tensor(np.array(photograph.resize((32, 32), Image.Resampling.BILINEAR)))
    assert ((colors + 1) * 127.5 - expected).abs().max() < 1.5


def test_coordinates_are_row_and_column() -> None:
    coordinates, gray = ImageField("flower", size=8, gray=True).grid()
    assert coordinates.shape == (8, 8, 2)
    assert gray.shape == (8, 8, 1)
    assert coordinates[0, -1].tolist() == [-0.875, 0.875]
    _, colors = ImageField("flower", size=8).grid()
    torch.testing.assert_close(gray[..., 0], colors @ torch.tensor([0.299, 0.587, 0.114]))


@pytest.mark.parametrize("options", [{"image": "dog"}, {"size": 3}, {"size": 500}])
def test_mistakes(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=rf"ImageField\({next(iter(options))}="):
        ImageField(**options)  # type: ignore[arg-type]
