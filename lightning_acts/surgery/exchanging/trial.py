"""A trial before a swap: the model's own activations, as modules in the places where they would be exchanged.

The model has to compute what it did, and every one of them has to run as often as it ran before: where it does not, the
code has ways to the original that its source does not show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from lightning_acts.spec import ActivationSpec, SpecError
from lightning_acts.surgery import history
from lightning_acts.surgery.exchanging.installing import Prepared, installed, prepare
from lightning_acts.surgery.finding.observing import run_counting
from lightning_acts.surgery.finding.sites import AttributeSite, CallSite, Located, ModuleSite, works_in_place_there


def try_out(
    model: nn.Module, chosen: Sequence[Located], example_input: Any, before: Sequence[torch.Tensor]
) -> tuple[dict[Located, str], list[str]]:
    """The sites at which a replacement would miss something, each with the reason; notes for the reader.

    ``before`` is what the model returned when its sites were looked for. The model is left as it was.
    """
    tried: list[Prepared] = []
    for located in chosen:
        is_call = isinstance(located, AttributeSite) or (isinstance(located, CallSite) and located.module is None)
        if (is_call and located.site.calls) or works_in_place_there(located):
            try:
                tried.append(prepare(model, located, _out_of_place(located.site.activation)))
            except SpecError:  # an activation whose parameters only the code knows
                continue
    if not tried:
        return {}, []
    # An interruption between the one and the other leaves the second to undo it.
    with history.undoing(model), history.undoing(model), installed(model, tried, history.begin(model, None)):
        runs, after = run_counting(model, example_input, [one.replacement for one in tried])
    failures: dict[Located, str] = {
        one.located: f"what calls {one.located.site.activation} there can't be replaced: it ran "
        f"{one.located.site.calls} times, and what was put in its place {runs[one.replacement]} times"
        for one in tried
        if not isinstance(one.located, ModuleSite) and runs[one.replacement] != one.located.site.calls
    }
    # A formula rounds otherwise than the module that computes the same.
    is_formula = any(isinstance(one.located, CallSite) and one.located.is_formula for one in tried)
    rounding = 1e-4 if is_formula else 0.0
    same = len(before) == len(after) and all(
        one.shape == other.shape and torch.allclose(one, other, rounding, rounding, equal_nan=True)
        for one, other in zip(before, after, strict=True)
    )
    return failures, [] if same or failures else [_difference([one.located for one in tried])]


def _out_of_place(activation: str) -> ActivationSpec:
    spec = ActivationSpec.parse(activation)
    return ActivationSpec(spec.name, {name: value for name, value in spec.parameters.items() if name != "inplace"})


def _difference(tried: Sequence[Located]) -> str:
    in_place = [located.site.path for located in tried if works_in_place_there(located)]
    if not in_place:
        return "the model's output differs, by a little or more, as soon as its own activations are modules"
    paths = ", ".join(in_place[:5]) + (", ..." if len(in_place) > 5 else "")
    return (
        f"the model relies on activations that work in place ({paths}): what they wrote into their inputs is read "
        "elsewhere too, so that the swap changes more than the function"
    )
