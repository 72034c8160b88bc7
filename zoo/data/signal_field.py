"""A signal as a field: a function of time, by formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from .field import KnownField, centers


def _chirp(t: Tensor) -> Tensor:
    return torch.sin(2 * math.pi * (8 * t + 4 * t**2))


def _harmonics(t: Tensor) -> Tensor:
    tones = [torch.sin(2 * math.pi * tone * t + tone) / tone for tone in (1, 2, 3, 5, 8, 13)]
    return torch.stack(tones).sum(dim=0) / 2.2


def _steps(t: Tensor) -> Tensor:
    return torch.sign(torch.sin(6 * math.pi * t)) * (1 - 0.5 * t.abs())


_SIGNALS: Mapping[str, Callable[[Tensor], Tensor]] = {"chirp": _chirp, "harmonics": _harmonics, "steps": _steps}


class SignalField(KnownField):
    """Samples of a signal of a second or two that a formula gives.

    They are pairs of a time and a value, both ``(1,)`` and in [-1, 1].

    Args:
        signal: ``chirp``, whose frequency rises from 0 to 16; ``harmonics``, of six frequencies from 1 to 13; or
            ``steps``, which jumps.
        size: How many samples there are.
        held_out: Share of the samples that are not trained on; half of them validate, half test. With 0 all samples
            are in all parts: the test then says how well they are fitted.
        batch_size: Samples a batch.
        passes: How often an epoch goes over the samples.
        split_seed: Seed of the choice of samples that are held out.
        num_workers: Processes that load batches.

    Raises:
        ValueError: A number is out of range, or there is no such signal.

    Example:
        >>> data = SignalField("steps", size=100, held_out=0.4)
        >>> data.setup()
        >>> [tuple(part.shape) for part in next(iter(data.test_dataloader()))]
        [(20, 1), (20, 1)]
    """

    in_features = 1
    out_features = 1

    def __init__(
        self,
        signal: str = "chirp",
        size: int = 1000,
        held_out: float = 0.5,
        batch_size: int = 1000,
        passes: int = 50,
        split_seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(held_out, batch_size, passes, split_seed, num_workers)
        if signal not in _SIGNALS:
            raise ValueError(f"SignalField(signal={signal!r}): one of {', '.join(_SIGNALS)}")
        if size < 10:
            raise ValueError(f"SignalField(size={size}): at least 10")
        self.save_hyperparameters()

    def grid(self) -> tuple[Tensor, Tensor]:
        """Return times ``(size, 1)`` and values ``(size, 1)`` of all samples."""
        times = centers(self.hparams["size"])
        return times, _SIGNALS[self.hparams["signal"]](times)
