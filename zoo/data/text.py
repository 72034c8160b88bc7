"""Base of texts with a class each, as tokens."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from lightning_acts.models import ModelError, check_tokenizer, load_tokenizer

from .base import ZooData, check_classes, check_fractions, split


@dataclass(frozen=True)
class Passages:
    """Texts with a class each.

    Args:
        texts: The texts.
        labels: Their classes, counted from 0.
        class_names: Names of the classes.
    """

    texts: Sequence[str]
    labels: Sequence[int]
    class_names: Sequence[str]


class TextData(ZooData):
    """Texts in three parts, with the same share of each class; each is ``(length,)`` tokens.

    Tokens are the words and signs in lower case that are commonest in the training part, or those of a tokenizer of
    transformers. What is longer is cut, what is shorter is filled up with ``padding``.

    ``num_classes`` and ``class_names`` are known after ``setup``. A subclass defines :meth:`passages`.

    Args:
        length: Tokens a text.
        vocab_size: The most tokens, two of which are padding and unknown words; with ``tokenizer`` they are its own.
        tokenizer: ``hf:NAME_OR_FOLDER``, for encoders that want their own.
        batch_size: Texts a batch.
        val_fraction: The share of the texts for validation.
        test_fraction: The share of the texts for the test.
        split_seed: Seed of the split.
        num_workers: Processes that load batches.

    Raises:
        ModelError: There is no such tokenizer, or it has no token for padding.
        ValueError: A number is out of range.
    """

    num_classes: int
    class_names: Sequence[str]
    _words: Vocabulary
    _tokenizer: Any

    def __init__(
        self,
        length: int = 64,
        vocab_size: int = 4000,
        tokenizer: str | None = None,
        batch_size: int = 32,
        val_fraction: float = 0.15,
        test_fraction: float = 0.25,
        split_seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers)
        for argument, value, least in (("length", length, 1), ("vocab_size", vocab_size, 3)):
            if value < least:
                raise ValueError(f"{type(self).__name__}({argument}={value}): at least {least}")
        check_fractions(type(self).__name__, val_fraction=val_fraction, test_fraction=test_fraction)
        if tokenizer is not None:
            check_tokenizer(tokenizer)
        self.save_hyperparameters()
        self.length, self.vocab_size, self.tokenizer = length, vocab_size, tokenizer
        self.val_fraction, self.test_fraction, self.split_seed = val_fraction, test_fraction, split_seed
        self.padding = Vocabulary.padding

    def passages(self) -> Passages:
        """Return all texts, before they are split: the same in every process."""
        raise NotImplementedError(f"{type(self).__name__} has no passages")

    def prepare_data(self) -> None:
        """Fetch the tokenizer."""
        if self.tokenizer is not None:
            load_tokenizer(self.tokenizer)

    def parts(self) -> Mapping[str, Dataset[Any]]:
        """Read and split the texts, and turn them into tokens."""
        passages = self.passages()
        self.class_names, self.num_classes = list(passages.class_names), len(passages.class_names)
        check_classes(type(self).__name__, passages.labels, passages.class_names)
        labels = torch.tensor(passages.labels)
        indices = split(len(labels), self.val_fraction, self.test_fraction, self.split_seed, labels)
        self._fit_tokens([passages.texts[index] for index in indices["train"]])
        tokens = self.encode(passages.texts)
        return {part: TensorDataset(tokens[members], labels[members]) for part, members in indices.items()}

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Return tokens ``(N, length)`` of texts; after ``setup``."""
        if self.tokenizer is None:
            return self._words.encode(texts, self.length)
        tokens: Tensor = self._tokenizer(
            list(texts),
            max_length=self.length,
            truncation=True,
            padding="max_length",
            padding_side="right",
            return_tensors="pt",
        )["input_ids"]
        return tokens

    def _fit_tokens(self, texts: Iterable[str]) -> None:
        if self.tokenizer is None:
            self._words = Vocabulary(texts, self.vocab_size)
            return
        self._tokenizer = load_tokenizer(self.tokenizer)
        if self._tokenizer.pad_token_id is None:
            raise ModelError(f"{type(self).__name__}(tokenizer={self.tokenizer!r}): it has no token for padding")
        self.vocab_size, self.padding = len(self._tokenizer), self._tokenizer.pad_token_id


class Vocabulary:
    """The commonest words and signs of some texts, in lower case; ties are broken by the alphabet.

    Token 0 is padding, 1 all words that are not among them.

    Args:
        texts: The texts.
        size: The most tokens.

    Example:
        >>> vocabulary = Vocabulary(["To be, or not to be"], size=4)
        >>> vocabulary.words
        ['be', 'to']
        >>> vocabulary.encode(["Not to be", ""], length=4)
        tensor([[1, 3, 2, 0],
                [1, 0, 0, 0]])
    """

    padding, unknown = 0, 1

    def __init__(self, texts: Iterable[str], size: int) -> None:
        counts = Counter(word for text in texts for word in words_of(text))
        self.words = sorted(counts, key=lambda word: (-counts[word], word))[: size - 2]

    def encode(self, texts: Sequence[str], length: int) -> Tensor:
        """Return tokens ``(N, length)`` of texts, cut or filled up; a text without words is an unknown one.

        Args:
            texts: The texts.
            length: Tokens a text.
        """
        numbers = {word: number for number, word in enumerate(self.words, start=2)}
        tokens = torch.full((len(texts), length), self.padding)
        for row, text in zip(tokens, texts, strict=True):
            found = [numbers.get(word, self.unknown) for word in words_of(text)[:length]] or [self.unknown]
            row[: len(found)] = torch.tensor(found)
        return tokens


def words_of(text: str) -> list[str]:
    """Return the words and signs of a text in lower case.

    Example:
        >>> words_of("Don't panic: max_size=3")
        ['don', "'", 't', 'panic', ':', 'max_size', '=', '3']
    """
    return re.findall(r"\w+|[^\w\s]", text.lower())
