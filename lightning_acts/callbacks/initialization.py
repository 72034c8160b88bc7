"""The callback that initializes the weights of a model for the activation that it has."""

from __future__ import annotations

from typing import Annotated, Literal

from lightning.pytorch import LightningModule, Trainer

from lightning_acts.callbacks.activation_swap import once_after
from lightning_acts.callbacks.packages import Callback, overrides
from lightning_acts.errors import ActsError
from lightning_acts.initialization import Mode, init_
from lightning_acts.spec import ActivationSpec
from lightning_acts.surgery.finding.sites import find
from lightning_acts.surgery.site import UNKNOWN_ACTIVATION


class InitializationError(ActsError, ValueError):
    """There is not one activation to initialize a model for."""


class Initialization(Callback):
    """Initialize all linear and convolutional layers by :func:`lightning_acts.init_` before a fit.

    It comes after the swaps of callbacks before it, and before weights are restored, so that a resumed fit goes on with
    those of its checkpoint.

    Args:
        activation: The spec of an activation; default that of the model's hidden sites, if they all have one.
        mode: As for :func:`lightning_acts.init_`.
        distribution: As for :func:`lightning_acts.init_`.

    Raises:
        InitializationError: In a fit, hidden sites have several activations, or none that is known.

    Example:
        ::

            Trainer(callbacks=[acts.ActivationSwap({"relu": "mish"}), Initialization()])
    """

    def __init__(
        self,
        activation: Annotated[str, ActivationSpec] | None = None,
        mode: Mode = "forward",
        distribution: Literal["normal", "uniform"] = "normal",
    ) -> None:
        super().__init__()
        self._activation, self._mode, self._distribution = activation, mode, distribution

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Have the layers initialized as soon as the model is complete."""
        if stage != "fit":
            return
        if overrides(pl_module, "setup") or overrides(pl_module, "configure_model"):
            once_after(pl_module, "configure_model", self._initialize)
        else:
            self._initialize(pl_module)

    def _initialize(self, model: LightningModule) -> None:
        activation = self._activation or _only(model)
        init_(model, activation, mode=self._mode, distribution=self._distribution)


def _only(model: LightningModule) -> str:
    known = [site for site in find(model) if site.activation != UNKNOWN_ACTIVATION]
    hidden = list(dict.fromkeys(site.activation for site in known if site.role == "hidden"))
    if len(hidden) != 1:
        found = f"several hidden activations, {', '.join(hidden)}" if hidden else "no hidden activation that is known"
        raise InitializationError(
            f"initialization: {type(model).__name__} has {found}: name one, {{activation: {(hidden or ['relu'])[0]}}}"
        )
    return hidden[0]
