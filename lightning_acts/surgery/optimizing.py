"""Running the activations that a model has by another backend, without changing what they compute."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from torch import nn

from lightning_acts import factory
from lightning_acts.hints import counted
from lightning_acts.kernels.backends import Accelerated, Backend, checked_backend, obstacle, with_backend
from lightning_acts.surgery import history
from lightning_acts.surgery.finding.sites import find
from lightning_acts.surgery.site import ROLES, LeftSite, Site
from lightning_acts.surgery.swapping import refuse_model, swap
from lightning_acts.surgery.turns import one_at_a_time


@dataclass(eq=False)
class BackendChange(history.Change):
    """The backend that an activation is run by."""

    backend: Backend
    original: Backend

    def install(self, owner: nn.Module) -> None:  # noqa: D102
        _run_by(owner, self.backend)

    def undo_step(self, owner: nn.Module) -> history.UndoStep:  # noqa: D102
        return lambda: _run_by(owner, self.original)


@dataclass(frozen=True)
class BackendReport:
    """Which activations :func:`optimize` has given a backend, and which not.

    Attributes:
        optimized: The sites that are run by the backend.
        left: Every other site, with the reason.
    """

    optimized: tuple[Site, ...]
    left: tuple[LeftSite, ...]

    def __str__(self) -> str:
        rest = Counter((left.site.activation, left.obstacle) for left in self.left)
        said = [f"{counted(len(self.optimized), 'site')} run by the backend"]
        said += [f"{name} at {counted(count, 'site')} left: {reason}" for (name, reason), count in rest.items()]
        return "; ".join(said)


@one_at_a_time
def optimize(model: nn.Module, backend: Backend = "auto", *, example_input: Any = None) -> BackendReport:
    """Have the activations of a model run by a backend; what they compute stays, but for rounding.

    Modules stay the objects that they are, with their parameters, hooks and names. A call such as ``F.mish(x)`` becomes a
    module without parameters. :func:`restore` brings everything back. A ``state_dict`` does not depend on the backend.

    Args:
        model: Any module that holds others; not yet wrapped for several processes.
        backend: As for :func:`create`; ``"auto"`` compiles where that is faster. With ``"lean(bits=2)"`` what is computed
            stays, and its gradient becomes an approximation.
        example_input: A batch, which shows calls that the source alone does not.

    Returns:
        The report: which sites the backend runs, which not and why.

    Raises:
        SpecError: There is no such backend.
        SwapError: The model can't take part in a swap.

    Example:
        >>> import lightning_acts as acts
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.Mish(), nn.Linear(8, 8), nn.ReLU())
        >>> print(acts.optimize(model, "lean"))
        1 site run by the backend; relu at 1 site left: torch's own operator is as good
        >>> model[1].backend
        'lean'
    """
    backend = checked_backend(backend)
    refuse_model(model)
    earlier = history.newest(model)
    try:
        optimized, left, calls = [], [], []
        transaction = history.begin(model, None)
        modules = dict(model.named_modules(remove_duplicate=False))
        for site in find(model, example_input):
            module = modules.get(site.path)
            reason = _obstacle(site, module, backend)
            if reason is not None:
                left.append(LeftSite(site, reason))
            elif site.kind != "module":
                calls.append(site)
            elif module is not None and factory.definition_for(module) is not None:
                history.install(module, BackendChange(backend, _backend_of(module)), transaction)
                optimized.append(site)
            else:
                left.append(LeftSite(site, "no module of a registered class"))
        if calls:
            here = {site.path for site in calls}
            report = swap(
                model,
                {"re:.*": lambda site: site.activation if site.path in here else None},
                role=ROLES,
                backend=backend,
                example_input=example_input,
            )
            done = {swapped.site.path for swapped in report.swapped}
            optimized += [site for site in calls if site.path in done]
            left += [one for one in report.left if one.site.path in here]
    except BaseException:
        history.undo_since(model, earlier)
        raise
    return BackendReport(tuple(optimized), tuple(left))


def _obstacle(site: Site, module: nn.Module | None, backend: Backend) -> str | None:
    try:
        definition = factory.definition_of(site.activation)
    except ValueError:
        return "not a registered activation"
    works_in_place = site.kind == "module" and getattr(module, "inplace", False)
    return obstacle(definition, backend) or ("it works in place" if works_in_place else None)


def _backend_of(module: nn.Module) -> Backend:
    return module.backend if isinstance(module, Accelerated) else "torch"


def _run_by(module: nn.Module, backend: Backend) -> None:
    definition = factory.definition_for(module)
    assert definition is not None
    with_backend(module, definition, backend)
