"""An image as a field: pixels by their coordinates."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_acts.extras import require

from .field import KnownField, centers

_IMAGES = ("china", "flower")


class ImageField(KnownField):
    """Pixels of a photograph that comes with scikit-learn; its middle square, reduced to ``size`` pixels.

    Samples are pairs of a pixel's coordinates ``(row, column)`` and its color, ``(3,)`` or ``(1,)``, all in [-1, 1].

    Args:
        image: ``china``, a temple, or ``flower``.
        size: Edge length in pixels.
        gray: Whether it is made gray.
        held_out: Share of the pixels that are not trained on; half of them validate, half test. With 0 all pixels are
            in all parts: the test then says how well they are fitted.
        batch_size: Pixels a batch.
        passes: How often an epoch goes over the pixels.
        split_seed: Seed of the choice of pixels that are held out.
        num_workers: Processes that load batches.

    Raises:
        ValueError: A number is out of range, or there is no such image.

    Example:
        >>> data = ImageField(size=32)
        >>> data.setup()
        >>> [tuple(part.shape) for part in next(iter(data.train_dataloader()))]
        [(4096, 2), (4096, 3)]
    """

    in_features = 2

    def __init__(
        self,
        image: str = "china",
        size: int = 64,
        gray: bool = False,
        held_out: float = 0.0,
        batch_size: int = 4096,
        passes: int = 50,
        split_seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(held_out, batch_size, passes, split_seed, num_workers)
        if image not in _IMAGES:
            raise ValueError(f"ImageField(image={image!r}): one of {', '.join(_IMAGES)}")
        if not 4 <= size <= 427:
            raise ValueError(f"ImageField(size={size}): from 4 to 427, the height of the photograph")
        self.save_hyperparameters()
        self.out_features = 1 if gray else 3

    def grid(self) -> tuple[Tensor, Tensor]:
        """Return coordinates ``(size, size, 2)`` and colors ``(size, size, channels)`` of all pixels."""
        size = self.hparams["size"]
        photograph = require("sklearn.datasets", extra="vision").load_sample_image(f"{self.hparams['image']}.jpg")
        pixels = torch.tensor(photograph, dtype=torch.float32).movedim(2, 0)
        edge = min(pixels.shape[1:])
        top, left = ((length - edge) // 2 for length in pixels.shape[1:])
        square = pixels[None, :, top : top + edge, left : left + edge]
        small = torch.nn.functional.interpolate(square, size=size, mode="bilinear", antialias=True)[0].movedim(0, 2)
        if self.hparams["gray"]:
            small = (small @ torch.tensor([0.299, 0.587, 0.114])).unsqueeze(2)  # as ITU-R BT.601 weighs them
        return centers(size, size), small / 127.5 - 1
