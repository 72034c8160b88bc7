"""Sites as modules, on which hooks can be put.

::

    self.act(x)                 self.act                         an activation module is one already
    self.act(self.act(x))       self.act, a shallow copy of it   each place and each call of one that is shared
    F.relu(x)                   nn.ReLU()                        a call, for the time being: the forward calls the module
    nn.ReLU(inplace=True)       nn.ReLU()                        what it is given stays what it was
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from torch import nn

from lightning_acts.factory import ActivationLike
from lightning_acts.spec import ActivationSpec, SpecError
from lightning_acts.surgery import history
from lightning_acts.surgery.exchanging.installing import Prepared, installed, prepare
from lightning_acts.surgery.finding.located import Located, ModuleSite, works_in_place_there
from lightning_acts.surgery.site import UNKNOWN_ACTIVATION


@contextlib.contextmanager
def exposed(model: nn.Module, sites: Iterable[Located]) -> Iterator[dict[Located, nn.Module]]:
    """Have each site be a module of its own, for the length of a ``with`` block.

    The model computes what it did, with two exceptions: what a module writes into its input is not seen elsewhere,
    and a function whose parameters the code computes, such as the weight of ``F.prelu``, has those of its spec. Hooks on
    modules of the model stay there until their handles are removed. Sites that can't be exchanged are left out.

    Args:
        model: The model.
        sites: Some of its sites, as ``locate`` gives them.

    Yields:
        The module of each site.

    Example:
        >>> from lightning_acts.surgery.finding.sites import locate
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        >>> with exposed(model, locate(model).located) as modules:
        ...     print({located.site.path: module for located, module in modules.items()})
        {'1': ReLU()}
    """
    modules: dict[Located, nn.Module] = {}
    made: list[Prepared] = []
    for located in sites:
        if isinstance(located, ModuleSite) and not located.is_part and not works_in_place_there(located):
            modules[located] = located.module
        elif located.first_obstacle() is None:
            with contextlib.suppress(SpecError):
                made.append(prepare(model, located, _activation_at(located), copied=False))
    modules |= {one.located: one.replacement for one in made}
    # An interruption between the one and the other leaves the second to undo it.
    with history.undoing(model), history.undoing(model), installed(model, made, history.begin(model, None)):
        yield modules


def _activation_at(located: Located) -> ActivationLike:
    """Return what computes the same as a site, and writes nothing into its input."""
    module = located.module
    if module is not None and (located.site.activation == UNKNOWN_ACTIVATION or not works_in_place_there(located)):
        return history.with_hooks_of_its_own(module)
    return ActivationSpec.parse(located.site.activation).without("inplace")
