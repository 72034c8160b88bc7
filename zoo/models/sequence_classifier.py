"""Classification of sequences by convolutions or a recurrent network."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from .base import MakeOptimizer, MakeScheduler
from .classifier import Classifier, Output
from .layers import MLP, Activations, make_activations

Architecture: TypeAlias = Literal["cnn", "gru"]


class SequenceClassifier(Classifier):
    """A classifier of sequences, such as signals: 1-D convolutions, or a GRU.

    ``cnn``: ``depth`` convolutions over five positions, each with batch normalization and the activation; the mean over
    the positions goes through a linear layer. ``gru``: ``depth`` layers of a bidirectional GRU, whose gates are sigmoids
    and tanh by definition; the activation is that of the hidden layer behind the mean over the positions. Trained and
    measured as :class:`~lightning_acts.zoo.models.classifier.Classifier` says.

    Args:
        in_channels: Values at each position.
        num_classes: Number of classes.
        length: Number of positions of ``example_input_array``; sequences may have any.
        architecture: ``cnn`` or ``gru``.
        width: Channels of a convolution, or size of a GRU's state.
        depth: Number of layers.
        activation: One spec for all hidden layers, or a spec for each; a ``gru`` has one.
        output: ``logits``, ``log_softmax``, ``softmax``, or ``sigmoid`` for several labels at once.
        lr: Peak of the learning rate.
        weight_decay: Weight decay of the weights of layers.
        optimizer: Makes another optimizer from groups of parameters.
        scheduler: Makes another scheduler from the optimizer.

    Shape:
        ``(N, in_channels, length)`` to ``(N, num_classes)``.

    Raises:
        SpecError: A spec can't be read, or no activation is called so.
        ValueError: A number or the architecture is out of range, or there are more or fewer specs than hidden layers.

    Source:
        GRU: Cho et al. 2014, arXiv:1406.1078.

    Example:
        >>> SequenceClassifier(1, 3, length=21, activation="mish")(torch.zeros(2, 1, 21)).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 3,
        length: int = 21,
        architecture: Architecture = "cnn",
        width: int = 32,
        depth: int = 2,
        activation: Activations = "relu",
        output: Output = "logits",
        lr: float = 3e-3,
        weight_decay: float = 0.05,
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(
            num_classes, output, lr=lr, weight_decay=weight_decay, optimizer=optimizer, scheduler=scheduler
        )
        self.check_at_least(1, in_channels=in_channels, length=length, width=width, depth=depth)
        if architecture not in ("cnn", "gru"):
            raise ValueError(f"SequenceClassifier(architecture={architecture!r}): cnn or gru")
        self.save_hyperparameters(ignore=["optimizer", "scheduler"])
        self.example_input_array = torch.zeros(2, in_channels, length)
        self.recurrent: nn.GRU | None = None
        if architecture == "gru":
            self.recurrent = nn.GRU(in_channels, width, depth, batch_first=True, bidirectional=True)
            self.head: nn.Module = MLP(2 * width, [width], num_classes, activation)
            return
        layers: list[nn.Module] = []
        for index, module in enumerate(make_activations(activation, depth)):
            before = width if index else in_channels
            layers += [nn.Conv1d(before, width, 5, padding=2, bias=False), nn.BatchNorm1d(width), module]
        self.convolutions, self.head = nn.Sequential(*layers), nn.Linear(width, num_classes)

    def forward(self, sequences: Tensor) -> Tensor:
        """Return the output for sequences."""
        if self.recurrent is None:
            features: Tensor = self.convolutions(sequences).mean(dim=2)
        else:
            features = self.recurrent(sequences.transpose(1, 2))[0].mean(dim=1)
        return self.activate(self.head(features))
