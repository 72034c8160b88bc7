"""English prose, character by character."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset, Subset, TensorDataset

from .base import ZooData, check_fractions, split

#: The printable characters of ASCII and the line break; whatever else occurs is the token behind them.
_CHARACTERS = "\n" + "".join(map(chr, range(32, 127)))


class Prose(ZooData):
    r"""Text in blocks of characters, for a language model: the help texts of Python, or a file of the user's own.

    Python ships its language reference for ``help()``, some 460,000 characters (3.11) of technical English. They depend on the
    version of Python, and results on them a little. Tokens are the 95 printable characters of ASCII, the line break, and
    one for all others. Blocks follow each other without overlap; which of them validate and test depends on
    ``split_seed`` alone.

    Args:
        path: A text file in UTF-8; by default Python's help texts.
        context: Characters a block; a model predicts the next one for each.
        batch_size: Blocks a batch.
        val_fraction: The share of the blocks for validation.
        test_fraction: The share of the blocks for the test.
        split_seed: Seed of the split.
        num_workers: Processes that load batches.

    Raises:
        ValueError: A size or a fraction is out of range, or the text is too short.
        FileNotFoundError: There is no such file.

    Example:
        >>> data = Prose(context=32, batch_size=4)
        >>> data.setup()
        >>> tokens, following = next(iter(data.test_dataloader()))
        >>> tokens.shape, bool((tokens[:, 1:] == following[:, :-1]).all())
        (torch.Size([4, 32]), True)
        >>> data.decode(data.encode("def f():\n"))
        'def f():\n'
    """

    vocab_size = len(_CHARACTERS) + 1

    def __init__(
        self,
        path: str | None = None,
        context: int = 64,
        batch_size: int = 32,
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        split_seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers)
        if context < 1:
            raise ValueError(f"Prose(context={context}): at least 1")
        check_fractions("Prose", val_fraction=val_fraction, test_fraction=test_fraction)
        self.save_hyperparameters()

    def parts(self) -> Mapping[str, Dataset[Any]]:
        """Cut the text into blocks, and split these."""
        context, val, test = (self.hparams[name] for name in ("context", "val_fraction", "test_fraction"))
        tokens = torch.tensor(self.encode(self._text()))
        blocks = (len(tokens) - 1) // context
        if blocks * min(val, test, 1 - val - test) < 1:
            raise ValueError(
                f"Prose(path={self.hparams['path']!r}, context={context}): {len(tokens)} characters are {blocks} blocks, "
                "too few for three parts"
            )
        before, after = (tokens[start : start + blocks * context].view(blocks, context) for start in (0, 1))
        indices = split(blocks, val, test, self.hparams["split_seed"])
        return {part: Subset(TensorDataset(before, after), members) for part, members in indices.items()}

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        numbers = {character: number for number, character in enumerate(_CHARACTERS)}
        return [numbers.get(character, len(_CHARACTERS)) for character in text]

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens; that for other characters is a question mark in a diamond."""
        return "".join((_CHARACTERS + "\N{REPLACEMENT CHARACTER}")[token] for token in tokens)

    def _text(self) -> str:
        path = self.hparams["path"]
        if path is None:
            from pydoc_data.topics import topics

            return "\n\n".join(topics[name] for name in sorted(topics))
        file = Path(path).expanduser()
        if not file.is_file():
            raise FileNotFoundError(f"Prose(path={path!r}): there is no such file")
        try:
            return file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"Prose(path={path!r}) is not text in UTF-8: {error}") from error
