"""A language model: a small GPT."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.text import Perplexity

import lightning_acts as acts

from .base import MakeOptimizer, MakeScheduler, SupervisedModel
from .layers import Activation, Residual, SelfAttention


class LanguageModel(SupervisedModel):
    """A decoder-only transformer that predicts the next token at every position.

    Layers are normalized before attention and feed-forward (GPT-2); the embedding of tokens is the last layer's weight
    too. Weights start normal with variance 2 / (5 width), biases as 0. Logs ``loss`` (cross-entropy in nats a token) and
    ``perplexity``, its exponential. ``plot_results`` writes ``sample.txt``, text that the model goes on with.

    The feed-forward takes plain and gated activations. A gated one, such as ``swiglu``, halves what it is given: the hidden
    layer is two thirds as wide then, so that the number of parameters stays the same.

    Args:
        vocab_size: Number of tokens.
        context: Number of tokens that are seen at once.
        width: Size of the embedding.
        depth: Number of layers.
        heads: Number of attention heads; divides ``width``.
        activation: Spec of the feed-forward's activation, plain or gated.
        dropout: Probability with which values are dropped in training.
        lr: Peak of the learning rate.
        weight_decay: Weight decay of the weights of layers.
        optimizer: Makes another optimizer from groups of parameters.
        scheduler: Makes another scheduler from the optimizer.

    Shape:
        ``(N, T)`` tokens, T at most ``context``, to logits ``(N, T, vocab_size)``. Batches are ``(tokens, next tokens)``.

    Raises:
        SpecError: The spec can't be read, or no activation is called so.
        ValueError: A number is out of range, or the activation fits into no feed-forward.

    Source:
        Radford et al. 2019, Language Models are Unsupervised Multitask Learners; gates: Shazeer 2020, arXiv:2002.05202;
        initial weights: Nguyen & Salazar 2019, arXiv:1910.05895.

    Example:
        >>> model = LanguageModel(vocab_size=50, context=16, width=32, depth=2, heads=4, activation="swiglu")
        >>> model(torch.zeros(2, 16, dtype=torch.long)).shape
        torch.Size([2, 16, 50])
    """

    def __init__(
        self,
        vocab_size: int = 97,
        context: int = 64,
        width: int = 64,
        depth: int = 2,
        heads: int = 4,
        activation: Activation = "gelu",
        dropout: float = 0.0,
        lr: float = 3e-3,
        weight_decay: float = 0.1,
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        super().__init__(lr=lr, weight_decay=weight_decay, optimizer=optimizer, scheduler=scheduler)
        self.check_at_least(1, vocab_size=vocab_size, context=context, width=width, depth=depth, heads=heads)
        if width % heads:
            raise ValueError(f"LanguageModel(width={width}, heads={heads}): the width is a multiple of the heads")
        self.save_hyperparameters(ignore=["optimizer", "scheduler"])
        self.context = context
        self.example_input_array = torch.zeros(2, context, dtype=torch.long)
        self.tokens, self.positions = nn.Embedding(vocab_size, width), nn.Embedding(context, width)
        self.drop = nn.Dropout(dropout)
        blocks: list[nn.Module] = []
        for _ in range(depth):
            attention = nn.Sequential(nn.LayerNorm(width), SelfAttention(width, heads, dropout, causal=True))
            blocks += [
                Residual(attention),
                Residual(nn.Sequential(nn.LayerNorm(width), feed_forward(width, activation))),
            ]
        self.blocks, self.norm = nn.Sequential(*blocks), nn.LayerNorm(width)
        # About GPT-2's 0.02 at its widths; in a narrow model that is so little that smooth activations are straight lines.
        std = (2 / (5 * width)) ** 0.5
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=std)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
        # Layers add up: what each adds is the smaller, the more there are.
        for name, parameter in self.named_parameters():
            if name.endswith("out.weight"):
                nn.init.normal_(parameter, std=std / (2 * depth) ** 0.5)
        perplexity: dict[str, Metric] = {"perplexity": Perplexity()}
        self.set_metrics(perplexity)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits of the next token at each position."""
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]
        return F.linear(self.norm(self.blocks(self.drop(x))), self.tokens.weight)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the cross-entropy of the next tokens."""
        return F.cross_entropy(outputs.flatten(0, 1), targets.flatten())

    def generate(self, tokens: Tensor, length: int, temperature: float = 1.0) -> Tensor:
        """Return tokens with ``length`` more behind them, drawn by their probabilities.

        Args:
            tokens: ``(N, T)``, T at least 1.
            length: How many to add.
            temperature: Below 1 likely tokens become likelier.
        """
        with torch.no_grad():
            for _ in range(length):
                logits = self(tokens[:, -self.context :])[:, -1] / temperature
                tokens = torch.cat([tokens, torch.multinomial(logits.softmax(dim=-1), 1)], dim=1)
        return tokens

    def draw_results(self, folder: Path, label: str) -> None:
        """Write text that the model goes on with after a beginning of the test, where the data can decode it."""
        batch, decode = self.first_test_batch(), self.of_data("decode")
        if batch is None or decode is None:
            return
        beginning = self.inputs(batch)[:1, : self.context // 2]
        with torch.random.fork_rng():
            torch.manual_seed(0)
            text = decode(self.generate(beginning, 4 * self.context, temperature=0.8)[0].tolist())
        (folder / "sample.txt").write_text(
            f"{label}, the first {beginning.shape[1]} tokens are given:\n\n{text}\n", encoding="utf-8"
        )


def feed_forward(width: int, activation: str) -> nn.Sequential:
    """Return the two layers of a feed-forward with an activation between them, plain or gated.

    Args:
        width: Size of input and output.
        activation: Spec of the activation.

    Raises:
        SpecError: The spec can't be read, or no activation is called so.
        ValueError: The activation neither keeps nor halves the size.

    Example:
        >>> [tuple(layer.weight.shape) for layer in feed_forward(48, "swiglu") if isinstance(layer, nn.Linear)]
        [(256, 48), (48, 128)]
    """
    module = acts.create(activation)
    with torch.no_grad():
        given = module(torch.zeros(2, 6, 4)).shape
    if given == (2, 6, 4):
        before = after = 4 * width
    elif given == (2, 6, 2):
        after = round(8 * width / 3)
        before = 2 * after
    else:
        raise ValueError(
            f"activation={activation!r} makes {tuple(given)} of (2, 6, 4): a feed-forward takes one that keeps or halves them"
        )
    layers = {"into": nn.Linear(width, before), "act": module, "out": nn.Linear(after, width)}
    return nn.Sequential(OrderedDict(layers))
