"""Fine-tuning of models that were trained before: those of torchvision, timm and transformers, of a run, or your own."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lightning_acts.models import ModelError, build, options_of, weights_from_checkpoint
from lightning_acts.optimizers import set_apart
from lightning_acts.parameters import activation_parameters
from lightning_acts.runs.training import model_of_run

from .base import MakeOptimizer, MakeScheduler
from .classifier import Classifier, Output


class PretrainedModel(Classifier):
    """A model that was trained on other images, with a head for new classes, fine-tuned as a classifier of images.

    Its activations are changed by a swap, at the start or blended in while it is trained. The head is its last layer, a
    linear one or a convolution over single pixels; it is new where it has other outputs than ``num_classes``.
    Checkpoints hold all weights: runs are resumed, evaluated and exported without the pretrained ones. Trained and
    measured as :class:`~lightning_acts.zoo.models.classifier.Classifier` says.

    Args:
        backbone: ``torchvision:NAME``, ``timm:NAME``, ``hf:NAME_OR_FOLDER`` (for which transformers has a model for image
            classification), ``package.module:callable``, or the folder of a run, whose trained model is taken.
            ``@WEIGHTS`` may follow all but a run: the name of weights, or a file of them.
        num_classes: Number of classes.
        pretrained: Take the default weights of the library; otherwise they are random, unless ``@WEIGHTS`` or a run
            brings others.
        in_channels: Channels of the images; gray ones, of 1, are repeated for a backbone that takes more.
        image_size: Edge length of the images of ``example_input_array``.
        frozen_epochs: Epochs at the start in which the head alone is trained. Gradients of the rest are computed and
            dropped, which any strategy and optimizer can do; its batch normalization and dropout run as in eval.
        backbone_lr_factor: Learning rate of all but the head, in parts of that of the head.
        output: ``logits``, ``log_softmax``, ``softmax``, or ``sigmoid`` for several labels at once.
        lr: Peak of the learning rate of the head.
        weight_decay: Weight decay of the weights of layers.
        optimizer: Makes another optimizer from groups of parameters.
        scheduler: Makes another scheduler from the optimizer.

    Shape:
        ``(N, in_channels, H, W)`` to ``(N, num_classes)``.

    Raises:
        ModelError: There is no such model, or there are no such weights; or it has no head to fit, or takes images of
            another number of channels.
        OSError: Weights could not be fetched; the message says which, and where a file may be put.
        RunError: There is no such run.
        ValueError: A number is out of range.

    Source:
        Yosinski, Clune, Bengio & Lipson 2014, arXiv:1411.1792.

    Example:
        >>> model = PretrainedModel("torchvision:mobilenet_v3_small", num_classes=5, image_size=32)
        >>> model.backbone.classifier[-1]
        Linear(in_features=1024, out_features=5, bias=True)
    """

    def __init__(
        self,
        backbone: str,
        num_classes: int = 10,
        pretrained: bool = False,
        in_channels: int = 3,
        image_size: int = 224,
        frozen_epochs: int = 0,
        backbone_lr_factor: float = 1.0,
        output: Output = "logits",
        lr: float = 1e-4,
        weight_decay: float = 0.05,
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(
            num_classes, output, lr=lr, weight_decay=weight_decay, optimizer=optimizer, scheduler=scheduler
        )
        self.check_at_least(1, in_channels=in_channels, image_size=image_size)
        self.check_at_least(0, frozen_epochs=frozen_epochs)
        if backbone_lr_factor <= 0:
            raise ValueError(f"PretrainedModel(backbone_lr_factor={backbone_lr_factor}): above 0")
        self.save_hyperparameters(ignore=["optimizer", "scheduler"])
        self.example_input_array = torch.zeros(2, in_channels, image_size, image_size)
        self.frozen_epochs, self.backbone_lr_factor = frozen_epochs, backbone_lr_factor
        # Trained in float32, whatever its weights were saved in; trainer.precision says otherwise.
        self.backbone = _made(backbone, num_classes, pretrained).float().train()
        self.heads = _fit_head(self.backbone, backbone, num_classes)
        self.channels = _channels(self.backbone, backbone, in_channels)

    @classmethod
    def load_from_checkpoint(cls, *args: Any, **kwargs: Any) -> PretrainedModel:
        """Load a checkpoint as Lightning does; pretrained weights are not fetched, for it holds all."""
        with weights_from_checkpoint():
            return super().load_from_checkpoint(*args, **kwargs)

    def forward(self, images: Tensor) -> Tensor:
        """Return the output for images."""
        if images.shape[1] != self.channels:
            images = images.expand(-1, self.channels, -1, -1)
        output = self.backbone(images)
        # Models of transformers name their outputs; Inception and GoogLeNet give auxiliary ones, while they are trained.
        scores: Tensor = getattr(output, "logits", output)
        return self.activate(scores)

    def new_optimizer(self) -> torch.optim.Optimizer:
        """Return the optimizer of all parameters, those of the head in groups with a rate of their own."""
        optimizer = super().new_optimizer()
        body = self._body()
        for group in list(optimizer.param_groups):
            members = [parameter for parameter in group["params"] if parameter in body]
            set_apart(optimizer, members, self.backbone_lr_factor, group.get("weight_decay", 0.0))
        return optimizer

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Run a frozen backbone as in eval, so that its statistics don't change."""
        if self.frozen_epochs:
            self.backbone.train(not self._is_frozen())
            for head in self.heads:
                self.backbone.get_submodule(head).train()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Keep a frozen backbone as it is."""
        if self._is_frozen():
            for parameter in self._body():
                parameter.grad = None

    def _is_frozen(self) -> bool:
        return self.current_epoch < self.frozen_epochs

    def _body(self) -> set[nn.Parameter]:
        """Return the parameters of all but the head."""
        heads = [self.backbone.get_submodule(head).parameters() for head in self.heads]
        return set(self.backbone.parameters()).difference(*heads)


def _made(name: str, num_classes: int, pretrained: bool) -> nn.Module:
    """Return the model that a string names, with a new head where its library makes one."""
    run = Path(name).expanduser()
    if run.is_dir() or ("/" in name and ":" not in name):
        model = model_of_run(str(run))
        if isinstance(model, Classifier):
            model.output = "logits"
        return model
    weights = "default" if pretrained and "@" not in name else None
    taken = options_of(name)
    option = "num_labels" if name.startswith(("hf:", "transformers")) else "num_classes"
    options: dict[str, Any] = {option: num_classes} if taken is None or option in taken else {}
    return build(name, weights=weights, auto_class="AutoModelForImageClassification", **options)


def _fit_head(backbone: nn.Module, name: str, num_classes: int) -> list[str]:
    """Give a model as many outputs as there are classes, and return the paths of the layers that make them."""
    activations = {*activation_parameters(backbone)}  # a swap may have put some behind the last layer
    layers = [
        (path, module)
        for path, module in backbone.named_modules()
        if not activations.issuperset(module.parameters(recurse=False))
    ]
    path, last = layers[-1] if layers else ("", backbone)
    if not path or _outputs(last) is None:
        raise ModelError(
            f"{name} does not end in a linear layer, but in {type(last).__name__}: no head for num_classes={num_classes} "
            "can be fitted to it. Name a callable of your own that takes num_classes"
        )
    if _outputs(last) != num_classes:
        backbone.set_submodule(path, _like(last, num_classes))
        return [path]
    # A distilled model has two.
    last_ones = itertools.takewhile(lambda item: _outputs(item[1]) == num_classes, reversed(layers))
    return [path for path, _ in last_ones]


def _outputs(layer: nn.Module) -> int | None:
    if isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1):
        return layer.out_channels
    return layer.out_features if isinstance(layer, nn.Linear) else None


def _like(layer: Any, outputs: int) -> nn.Module:
    """Return a new layer that takes what this one takes."""
    bias = layer.bias is not None
    if isinstance(layer, nn.Conv2d):
        return nn.Conv2d(layer.in_channels, outputs, 1, bias=bias)
    return nn.Linear(layer.in_features, outputs, bias=bias)


def _channels(backbone: nn.Module, name: str, in_channels: int) -> int:
    """Return the channels of the images that a model takes: those of its first convolution, if timm does not say.

    Raises:
        ModelError: The images have others.
    """
    if name.startswith("timm:"):
        stated: Any = backbone.pretrained_cfg
        taken: int = stated["input_size"][0]
    else:
        convolutions = (module.in_channels for module in backbone.modules() if isinstance(module, nn.Conv2d))
        taken = next(convolutions, in_channels)
    if in_channels not in (1, taken):
        raise ModelError(f"in_channels={in_channels}: {name} takes images of {taken}; gray ones, of 1, are repeated")
    return taken
