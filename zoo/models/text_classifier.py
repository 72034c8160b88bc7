"""Classification of texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .base import MakeOptimizer, MakeScheduler
from .classifier import Classifier, Output
from .layers import MLP, Activations
from .text import PretrainedEncoder, TextTransformer, TokenEmbedding


class TextClassifier(Classifier):
    """A classifier of texts: the mean over what an encoder makes of the tokens goes through a head.

    ``mean``: a vector for each token, and a head with ``depth`` hidden layers; the order of the tokens does not matter.
    ``transformer``: ``depth`` blocks (:class:`~lightning_acts.zoo.models.text.TextTransformer`) and a linear head.
    Others: an encoder of transformers and a linear head. Padding changes nothing: it is not attended to, and not in the
    mean. Trained and measured as :class:`~lightning_acts.zoo.models.classifier.Classifier` says.

    Args:
        encoder: ``mean``, ``transformer``, ``hf:NAME_OR_FOLDER`` (with its weights as ``hf:NAME_OR_FOLDER@default``), or
            a config of transformers, such as ``transformers:BertConfig``.
        vocab_size: Number of tokens, token 0 of which is padding; encoders of transformers know theirs.
        num_classes: Number of classes.
        length: The most tokens of a text.
        width: Size of a token's vector and of hidden layers; encoders of transformers have theirs.
        depth: Hidden layers of ``mean``, or blocks of ``transformer``.
        heads: Attention heads of ``transformer``; divides ``width``.
        activation: Of ``mean`` and ``transformer``: one spec for all layers, or a spec for each; by default ReLU and GELU.
            The activations of other encoders are swapped.
        dropout: Probability with which values are dropped in training; encoders of transformers have theirs.
        encoder_options: Of the config of an encoder of transformers.
        output: ``logits``, ``log_softmax``, ``softmax``, or ``sigmoid`` for several labels at once.
        lr: Peak of the learning rate.
        weight_decay: Weight decay of the weights of layers.
        optimizer: Makes another optimizer from groups of parameters.
        scheduler: Makes another scheduler from the optimizer.

    Shape:
        ``(N, L)`` tokens, L at most ``length``, to ``(N, num_classes)``. Batches are ``(tokens, labels)``.

    Raises:
        ModelError: There is no such encoder.
        SpecError: A spec can't be read, or no activation is called so.
        ValueError: A number is out of range, there are more or fewer specs than layers, or the data have other tokens.

    Source:
        Mean of embeddings: Iyyer et al. 2015, Deep Unordered Composition Rivals Syntactic Methods for Text
        Classification; Joulin et al. 2016, arXiv:1607.01759.

    Example:
        >>> model = TextClassifier("transformer", vocab_size=50, num_classes=3, activation="mish")
        >>> model(torch.tensor([[5, 7, 9, 0, 0]])).shape
        torch.Size([1, 3])
    """

    def __init__(
        self,
        encoder: str = "mean",
        vocab_size: int = 4000,
        num_classes: int = 9,
        length: int = 64,
        width: int = 64,
        depth: int = 1,
        heads: int = 4,
        activation: Activations | None = None,
        dropout: float = 0.0,
        encoder_options: Mapping[str, Any] | None = None,
        output: Output = "logits",
        lr: float = 3e-3,
        weight_decay: float = 0.05,
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(
            num_classes, output, lr=lr, weight_decay=weight_decay, optimizer=optimizer, scheduler=scheduler
        )
        self.check_at_least(1, length=length, width=width, depth=depth, heads=heads)
        self.check_at_least(3, vocab_size=vocab_size)
        self.check_dropout(dropout)
        self.save_hyperparameters(ignore=["optimizer", "scheduler"])
        self.padding, self.vocab_size, self.length = 0, vocab_size, length
        if ":" in encoder and activation is not None:
            raise ValueError(
                f"TextClassifier(activation={activation!r}): for the encoders mean and transformer; the activations of "
                f"{encoder} are swapped, as by swap: [{{map: {{gelu: mish}}}}] in a config"
            )
        if ":" not in encoder and encoder_options:
            raise ValueError(f"TextClassifier(encoder_options={dict(encoder_options)}): for encoders of transformers")
        if encoder == "mean":
            self.encoder: nn.Module = TokenEmbedding(vocab_size, width)
            self.head: nn.Module = nn.Sequential(
                nn.Dropout(dropout), *MLP(width, [width] * depth, num_classes, activation or "relu", dropout)
            )
        elif encoder == "transformer":
            self.encoder = TextTransformer(vocab_size, length, width, depth, heads, activation or "gelu", dropout)
            self.head = nn.Linear(width, num_classes)
        elif ":" in encoder:
            pretrained = PretrainedEncoder(encoder, **encoder_options or {})
            if pretrained.length is not None and length > pretrained.length:
                raise ValueError(f"TextClassifier(length={length}): {encoder} takes {pretrained.length} tokens at most")
            self.padding, self.vocab_size = pretrained.padding, pretrained.vocab_size
            self.encoder, self.head = pretrained, nn.Linear(pretrained.width, num_classes)
        else:
            raise ValueError(f"TextClassifier(encoder={encoder!r}): mean, transformer, or a model of transformers")
        self.example_input_array = torch.full((2, length), self.padding + 1)

    def check_data(self, data: Any) -> None:
        """Check that the tokens of data are those of the encoder, and the model's sizes; a run does so before it makes a folder.

        Raises:
            ValueError: They are not.
        """
        for name, own in (("vocab_size", self.vocab_size), ("length", self.length)):
            if (given := getattr(data, name, own)) > own:
                raise ValueError(f"TextClassifier: the data have {name}={given}, and the model {own}")
        if (padding := getattr(data, "padding", self.padding)) != self.padding:
            raise ValueError(
                f"TextClassifier: padding is token {padding} in the data, and {self.padding} for the model: give the data "
                "the encoder's tokenizer"
            )
        super().check_data(data)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the output for texts."""
        # The first token is always seen, for a mean over nothing is none.
        seen = (tokens != self.padding) | (torch.arange(tokens.shape[1], device=tokens.device) == 0)
        features = self.encoder(tokens, seen) * seen.unsqueeze(2)
        return self.activate(self.head(features.sum(dim=1) / seen.sum(dim=1, keepdim=True)))
