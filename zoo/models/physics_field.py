"""Physics-informed networks: solutions of differential equations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_acts.reports.pictures import plot_field

from ..equations import equation as equation_of
from .base import MakeOptimizer, MakeScheduler, SupervisedModel
from .implicit_field import initialize_
from .layers import MLP, Activations


class RelativeError(Metric):
    """The norm of all errors over the norm of all targets.

    Example:
        >>> error = RelativeError()
        >>> error(torch.tensor([3.0, 5.0]), torch.tensor([3.0, 4.0]))
        tensor(0.2000)
    """

    errors: Tensor
    squares: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("errors", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("squares", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Take errors and targets in."""
        self.errors += (predictions.double() - targets.double()).square().sum()
        self.squares += targets.double().square().sum()

    def compute(self) -> Tensor:
        """Return the ratio."""
        return (self.errors / self.squares).sqrt().float()


class PhysicsField(SupervisedModel):
    """The solution of a differential equation as an MLP of the coordinates, trained to satisfy equation and conditions.

    The loss is the mean over all points of the squared residual where the equation shall hold, and of the squared
    error, times ``condition_weight``, where a condition shall. The residual has derivatives of the network in it, so
    that an activation matters by its own: with ReLU the second ones are 0. Layers start as those of
    :class:`~lightning_acts.zoo.models.implicit_field.ImplicitField`.

    Logs ``loss`` in every stage, and for the test ``relative_error``, the norm of the error over that of the solution.
    Validation and test take derivatives too, whatever the Trainer's ``inference_mode``.

    Args:
        equation: ``heat``, ``burgers`` or ``poisson``.
        width: Size of the hidden layers.
        depth: How many hidden layers there are.
        activation: One spec for all hidden layers, or a spec for each.
        condition_weight: Weight of the conditions beside that of the equation.
        lr: Peak of the learning rate.
        weight_decay: Weight decay of the weights of layers.
        optimizer: Makes another optimizer from groups of parameters.
        scheduler: Makes another scheduler from the optimizer.

    Shape:
        ``(N, 2)`` to ``(N, 1)``.

    Raises:
        SpecError: A spec can't be read, or no activation is called so.
        ValueError: A number is out of range, there is no such equation, or there are more or fewer specs than layers.

    Source:
        Raissi, Perdikaris & Karniadakis 2019, arXiv:1711.10561.

    Example:
        >>> PhysicsField("burgers")(torch.zeros(5, 2)).shape
        torch.Size([5, 1])
    """

    def __init__(
        self,
        equation: str = "heat",
        width: int = 32,
        depth: int = 3,
        activation: Activations = "tanh",
        condition_weight: float = 100.0,
        lr: float = 5e-3,
        weight_decay: float = 0.0,
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(lr=lr, weight_decay=weight_decay, optimizer=optimizer, scheduler=scheduler)
        self.check_at_least(1, width=width, depth=depth)
        self.check_at_least(0, condition_weight=condition_weight)
        self.equation, self.condition_weight = equation_of(equation), condition_weight
        self.save_hyperparameters(ignore=["optimizer", "scheduler"])
        self.example_input_array = torch.zeros(2, 2)
        self.network = MLP(2, [width] * depth, 1, activation)
        initialize_(self.network, first_is_coordinates=True)
        self.set_metrics({}, relative_error=RelativeError())

    def forward(self, points: Tensor) -> Tensor:
        """Return u at points."""
        u: Tensor = self.network(points)
        return u

    def outputs(self, batch: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Return u, the residual, and whether the equation shall hold, for the points of a batch."""
        points, holds, _ = batch
        recorded = torch.is_grad_enabled()
        with torch.inference_mode(False), torch.enable_grad():
            points = points.clone().requires_grad_()
            u = self(points)
            residual = self.equation.residual(u[:, 0], points).unsqueeze(1)
        if not recorded:
            u, residual = u.detach(), residual.detach()
        return u, residual, holds.unsqueeze(1)

    def loss(self, outputs: tuple[Tensor, Tensor, Tensor], targets: Tensor) -> Tensor:
        """Return the mean over all points of the equation's squared residual or the condition's squared error."""
        u, residual, holds = outputs
        return torch.where(holds, residual.square(), self.condition_weight * (u - targets).square()).mean()

    def prediction(self, outputs: Any) -> Tensor:
        """Return u."""
        u: Tensor = outputs[0] if isinstance(outputs, tuple) else outputs
        return u

    def draw_results(self, folder: Path, label: str) -> None:
        """Draw the field beside the solution, and the error, if the data has a grid."""
        grid = self.of_data("grid")
        if grid is not None:
            points, solution = grid()
            u = self(points.flatten(0, 1).to(self.device)).reshape(solution.shape).float().cpu()
            plot_field(u, solution, folder / "field.png", label, points, self.equation.coordinates)
