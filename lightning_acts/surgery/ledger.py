"""What modules keep of the swaps that were made in them."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from lightning_acts.surgery.history import Change, ModuleExchange, Transaction

ATTRIBUTE = "_lightning_acts_swaps"


class Holder:
    """Weak reference to the module that keeps a ledger.

    A shallow copy of the module has the same ledger, and so one that refers to another module. A deep copy refers to the
    new module. A pickle refers to none.
    """

    def __init__(self, module: nn.Module | None = None) -> None:
        self._module = None if module is None else weakref.ref(module)

    def __call__(self) -> nn.Module | None:
        """Return the module, while it lives."""
        return None if self._module is None else self._module()

    def __deepcopy__(self, memo: dict[int, Any]) -> Holder:
        return Holder(memo.get(id(self())))

    def __reduce__(self) -> tuple[type[Holder], tuple[()]]:
        return Holder, ()


@dataclass(frozen=True)
class Ledger:
    """What a module keeps.

    Attributes:
        changes: The changes that were made in it.
        transactions: The swaps for which it was the model that was given.
        stands: The exchanges by which it came where it is, for those who put it elsewhere, as a slice does.
        holder: The module that keeps it.
    """

    changes: tuple[Change, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    stands: tuple[ModuleExchange, ...] = ()
    holder: Holder = field(default=Holder(), compare=False)


def ledger_of(module: nn.Module) -> Ledger:
    """Return what a module keeps."""
    return vars(module).get(ATTRIBUTE) or Ledger()


def is_swapped_within(module: nn.Module) -> bool:
    """Check whether a swap has put something into a module, or into one below it."""
    ledgers = [ledger_of(part) for part in module.modules()]
    return any(ledger.changes for ledger in ledgers) or any(ledger.stands for ledger in ledgers[1:])
