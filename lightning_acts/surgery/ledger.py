"""What modules keep of the swaps that were made in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from lightning_acts.surgery.history import Change, ModuleExchange, Transaction

ATTRIBUTE = "_lightning_acts_swaps"


@dataclass(frozen=True)
class Ledger:
    """What a module keeps.

    Attributes:
        changes: The changes that were made in it.
        transactions: The swaps for which it was the model that was given.
        stands: The exchanges by which it came where it is, for those who put it elsewhere, as a slice does.
    """

    changes: tuple[Change, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    stands: tuple[ModuleExchange, ...] = ()


def ledger_of(module: nn.Module) -> Ledger:
    """Return what a module keeps."""
    return vars(module).get(ATTRIBUTE) or Ledger()


def is_swapped_within(module: nn.Module) -> bool:
    """Whether a swap has put something into a module, or into one below it."""
    ledgers = [ledger_of(part) for part in module.modules()]
    return any(ledger.changes for ledger in ledgers) or any(ledger.stands for ledger in ledgers[1:])
