"""Self-normalizing networks."""

from __future__ import annotations

from torch import Tensor, nn

import lightning_acts as acts

from .base import MakeOptimizer, MakeScheduler
from .classifier import Classifier, Output
from .layers import Activation, make_activations
from .tabular import RowModel


class SelfNormalizingMLP(RowModel, Classifier):
    """A classifier of many plain layers without normalization: SELU keeps mean 0 and deviation 1 from layer to layer.

    That holds for inputs of mean 0 and deviation 1, weights of LeCun's normal initialization, and alpha dropout, which
    keeps both moments of what SELU gives. Trained and measured as
    :class:`~lightning_acts.zoo.models.classifier.Classifier` says.

    Args:
        in_features: Columns of the input.
        num_classes: Number of classes.
        width: Size of the hidden layers.
        depth: Number of hidden layers.
        activation: A spec; for others than SELU the weights are scaled by their gain, as :func:`lightning_acts.init_` does
            it, and alpha dropout keeps no moments.
        dropout: Probability with which a hidden value is set to SELU's lower limit in training.
        output: ``logits``, ``log_softmax``, ``softmax``, or ``sigmoid`` for several labels at once.
        lr: Peak of the learning rate.
        weight_decay: Weight decay of the weights of layers; by default none, for it would shrink them.
        optimizer: Makes another optimizer from groups of parameters.
        scheduler: Makes another scheduler from the optimizer.

    Shape:
        ``(N, in_features)`` to ``(N, num_classes)``.

    Raises:
        SpecError: The activation's spec can't be read, none is called so, or it has no gain.
        ValueError: An argument is out of range, or the data have other sizes.

    Source:
        Klambauer et al. 2017, arXiv:1706.02515.

    Example:
        >>> import torch
        >>> model = SelfNormalizingMLP(in_features=1000, num_classes=2, width=1000, depth=20).eval()
        >>> with torch.random.fork_rng():
        ...     hidden = model.network[:-1](torch.randn(100, 1000))
        >>> 0.5 < hidden.std().item() < 1.5
        True
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        width: int = 64,
        depth: int = 20,
        activation: Activation = "selu",
        dropout: float = 0.05,
        output: Output = "logits",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(
            num_classes, output, lr=lr, weight_decay=weight_decay, optimizer=optimizer, scheduler=scheduler
        )
        self.check_at_least(1, in_features=in_features, width=width, depth=depth)
        self.check_dropout(dropout)
        self.save_hyperparameters(ignore=["optimizer", "scheduler"])
        self.take_rows(in_features)
        layers: list[nn.Module] = []
        for number, module in enumerate(make_activations(activation, depth)):
            layers += [nn.Linear(width if number else in_features, width), module, nn.AlphaDropout(dropout)]
        # SELU's gain is 1: LeCun's normal initialization.
        self.network = acts.init_(nn.Sequential(*layers, nn.Linear(width, num_classes)), activation)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the output for rows."""
        return self.activate(self.network(rows))
