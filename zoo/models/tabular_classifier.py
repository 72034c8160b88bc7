"""Classification of the rows of a table."""

from __future__ import annotations

from torch import Tensor

from .base import MakeOptimizer, MakeScheduler
from .classifier import Classifier, Output
from .layers import Activations
from .tabular import Architecture, RowModel, make_network


class TabularClassifier(RowModel, Classifier):
    """A classifier of rows of numbers: a perceptron of several layers, or a residual network.

    Trained and measured as :class:`~lightning_acts.zoo.models.classifier.Classifier` says.

    Args:
        in_features: Columns of the input; text that is one-hot encoded has one for each of its categories.
        num_classes: Number of classes.
        architecture: ``mlp`` for plain layers; ``residual`` for blocks with batch normalization and a shortcut.
        width: Size of the hidden layers.
        depth: Number of hidden layers, or of residual blocks.
        activation: One spec for all hidden layers, or a spec for each: ``depth``, for ``residual`` one more.
        dropout: Probability with which a hidden value is dropped in training.
        output: ``logits``, ``log_softmax``, ``softmax``, or ``sigmoid`` for several labels at once.
        lr: Peak of the learning rate.
        weight_decay: Weight decay of the weights of layers.
        optimizer: Makes another optimizer from groups of parameters.
        scheduler: Makes another scheduler from the optimizer.

    Shape:
        ``(N, in_features)`` to ``(N, num_classes)``.

    Raises:
        SpecError: An activation's spec can't be read, or none is called so.
        ValueError: An argument is out of range, or the data have other sizes.

    Source:
        Gorishniy et al. 2021, arXiv:2106.11959, for both architectures.

    Example:
        >>> import torch
        >>> model = TabularClassifier(in_features=30, num_classes=2, activation="mish")
        >>> model(torch.zeros(5, 30)).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        architecture: Architecture = "mlp",
        width: int = 64,
        depth: int = 2,
        activation: Activations = "relu",
        dropout: float = 0.0,
        output: Output = "logits",
        lr: float = 1e-3,
        weight_decay: float = 0.05,
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
        self.network = make_network(architecture, in_features, num_classes, width, depth, activation, dropout)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the output for rows."""
        return self.activate(self.network(rows))
