"""Linear regression."""

from __future__ import annotations

from torch import Tensor, nn

from .base import MakeOptimizer, MakeScheduler
from .regressor import Regressor
from .tabular import RowModel


class LinearRegressor(RowModel, Regressor):
    """Linear regression: one linear layer from input to output, whose activation is the identity.

    What any network has to be better than to be worth its layers. Without weight decay it comes to the least squares.
    Trained and measured as :class:`~lightning_acts.zoo.models.regressor.Regressor` says.

    Args:
        in_features: Columns of the input.
        lr: Peak of the learning rate.
        weight_decay: Weight decay of the weights.
        optimizer: Makes another optimizer from groups of parameters.
        scheduler: Makes another scheduler from the optimizer.

    Shape:
        ``(N, in_features)`` to ``(N,)``.

    Raises:
        ValueError: A number is out of range, or the data have other sizes.

    Example:
        >>> model = LinearRegressor(in_features=10)
        >>> sum(parameter.numel() for parameter in model.parameters())
        11
    """

    def __init__(
        self,
        in_features: int,
        lr: float = 1e-2,
        weight_decay: float = 0.0,
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(lr=lr, weight_decay=weight_decay, optimizer=optimizer, scheduler=scheduler)
        self.check_at_least(1, in_features=in_features)
        self.save_hyperparameters(ignore=["optimizer", "scheduler"])
        self.take_rows(in_features)
        self.linear = nn.Linear(in_features, 1)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the number for each row."""
        return self.in_units(self.linear(rows))
