"""Networks that read texts: embeddings, a transformer, and the encoders of transformers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lightning_acts.extras import require
from lightning_acts.models import ModelError, build

from .layers import Activations, SelfAttention, make_activations


class TokenEmbedding(nn.Module):
    """A vector for each token, whatever stands around it.

    Args:
        vocab_size: Number of tokens.
        width: Size of a vector.

    Shape:
        ``(N, L)`` tokens and which of them are seen, to ``(N, L, width)``.

    Example:
        >>> tokens = torch.tensor([[3, 4, 0]])
        >>> TokenEmbedding(10, 8)(tokens, tokens > 0).shape
        torch.Size([1, 3, 8])
    """

    def __init__(self, vocab_size: int, width: int) -> None:
        super().__init__()
        self.vectors = nn.Embedding(vocab_size, width)
        # Of seldom words little is learned: they shall count for little.
        nn.init.normal_(self.vectors.weight, std=0.02)

    def forward(self, tokens: Tensor, seen: Tensor) -> Tensor:
        """Return the vector of each token."""
        vectors: Tensor = self.vectors(tokens)
        return vectors


class TextTransformer(nn.Module):
    """A transformer in which all tokens see each other.

    Each block adds to its input what attention, then what two linear layers with an activation between them make of it;
    both are given normalized values (pre-norm).

    Args:
        vocab_size: Number of tokens.
        length: The most tokens of a text.
        width: Size of a token's vector.
        depth: Number of blocks.
        heads: Heads of the attention.
        activation: One spec for all blocks, or a spec for each.
        dropout: Probability with which a value is dropped that a block would add.

    Shape:
        ``(N, L)`` tokens and which of them are seen, to ``(N, L, width)``.

    Raises:
        SpecError: A spec can't be read, or no activation is called so.
        ValueError: ``width`` is no multiple of ``heads``, or there are more or fewer specs than blocks.

    Source:
        Vaswani et al. 2017, arXiv:1706.03762; pre-norm: Xiong et al. 2020, arXiv:2002.04745.

    Example:
        >>> tokens = torch.tensor([[3, 4, 0]])
        >>> TextTransformer(10, length=3, width=8, heads=2)(tokens, tokens > 0).shape
        torch.Size([1, 3, 8])
    """

    def __init__(
        self,
        vocab_size: int,
        length: int,
        width: int = 64,
        depth: int = 2,
        heads: int = 4,
        activation: Activations = "gelu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise ValueError(f"TextTransformer(width={width}, heads={heads}): width is a multiple of heads")
        self.tokens = TokenEmbedding(vocab_size, width)
        self.positions = nn.Parameter(0.02 * torch.randn(length, width))
        self.attentions, self.feed_forwards, self.norms = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for module in make_activations(activation, depth):
            self.norms.append(nn.LayerNorm(width))
            self.attentions.append(SelfAttention(width, heads))
            self.feed_forwards.append(
                nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), module, nn.Linear(4 * width, width))
            )
        self.norm, self.drop = nn.LayerNorm(width), nn.Dropout(dropout)

    def forward(self, tokens: Tensor, seen: Tensor) -> Tensor:
        """Return what each token has become beside the others."""
        x = self.tokens(tokens, seen) + self.positions[: tokens.shape[1]]
        for norm, attention, feed_forward in zip(self.norms, self.attentions, self.feed_forwards, strict=True):
            x = x + self.drop(attention(norm(x), seen))
            x = x + self.drop(feed_forward(x))
        normalized: Tensor = self.norm(x)
        return normalized


class PretrainedEncoder(nn.Module):
    """An encoder of transformers, without the head that it may come with.

    Args:
        model: ``hf:NAME_OR_FOLDER``, with weights after ``@default``, or a config such as ``transformers:BertConfig``.
        options: Of its config.

    Shape:
        ``(N, L)`` tokens and which of them are seen, to ``(N, L, width)``.

    Raises:
        ModelError: There is no such model, it is none of transformers, or knows no token for padding.

    Example:
        >>> encoder = PretrainedEncoder("transformers:BertConfig", vocab_size=10, hidden_size=8, num_attention_heads=2)
        >>> tokens = torch.tensor([[3, 4, 0]])
        >>> encoder(tokens, tokens > 0).shape
        torch.Size([1, 3, 8])
    """

    def __init__(self, model: str, **options: Any) -> None:
        super().__init__()
        built: Any = build(model, **options)
        if not isinstance(built, require("transformers", extra="hf").PreTrainedModel):
            raise ModelError(f"{model} is no model of transformers, but of type {type(built).__name__}")
        if built.config.pad_token_id is None:
            raise ModelError(f"{model}: its config has no pad_token_id, which says what padding is")
        self.model = built.get_encoder() if built.config.is_encoder_decoder else built.base_model
        # What it makes of the first token has no part in the loss, and DDP refuses such parameters.
        if getattr(self.model, "pooler", None) is not None:
            self.model.pooler = None
        config = built.config
        self.padding, self.vocab_size, self.width = config.pad_token_id, config.vocab_size, config.hidden_size
        self.length: int | None = getattr(config, "max_position_embeddings", None)

    def forward(self, tokens: Tensor, seen: Tensor) -> Tensor:
        """Return what each token has become beside the others."""
        states: Tensor = self.model(input_ids=tokens, attention_mask=seen.long()).last_hidden_state
        return states
