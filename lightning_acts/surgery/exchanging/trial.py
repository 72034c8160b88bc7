"""A trial before a swap: the model's own activations, as modules in the places where they would be exchanged.

The model has to compute what it did, and every one of them has to run as often as it ran before: where it does not, the
code has ways to the original that its source does not show.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lightning_acts.errors import SwapError
from lightning_acts.hints import listed
from lightning_acts.surgery.example import Example, ExampleError
from lightning_acts.surgery.exchanging.exposing import exposed
from lightning_acts.surgery.finding.located import CallSite, Located, ModuleSite, works_in_place_there


def try_out(example: Example, chosen: Sequence[Located]) -> tuple[dict[Located, str], list[str]]:
    """Return the sites at which a replacement would miss something, each with the reason, and notes for the reader.

    The example ran when the sites were looked for. Its model is left as it was.

    Raises:
        SwapError: The model does not run with modules there.
    """
    before = example.returned
    with exposed(example.model, filter(_is_tried, chosen)) as modules:
        if not modules:
            return {}, []
        try:
            runs = example.count(modules.values())
        except ExampleError as error:
            raise SwapError(f"as soon as the model's own activations are modules, {error}") from error
    after = example.returned
    failures: dict[Located, str] = {
        located: f"what calls {located.site.activation} there can't be replaced: it ran {located.site.calls} times, and "
        f"what was put in its place {runs[module]} times"
        for located, module in modules.items()
        if not isinstance(located, ModuleSite) and runs[module] != located.site.calls
    }
    # A formula rounds otherwise than the module that computes the same.
    is_formula = any(isinstance(located, CallSite) and located.is_formula for located in modules)
    rounding = 1e-4 if is_formula else 0.0
    same = len(before) == len(after) and all(
        one.shape == other.shape and torch.allclose(one, other, rounding, rounding, equal_nan=True)
        for one, other in zip(before, after, strict=True)
    )
    return failures, [] if same or failures else [_difference(list(modules))]


def _is_tried(located: Located) -> bool:
    """Check whether another module would stand there than did, where the example came by."""
    if works_in_place_there(located):
        return True
    return located.calls_a_function and bool(located.site.calls)


def _difference(tried: Sequence[Located]) -> str:
    in_place = [located.site.path for located in tried if works_in_place_there(located)]
    if not in_place:
        return "the model's output differs, by a little or more, as soon as its own activations are modules"
    return (
        f"the model relies on activations that work in place ({listed(in_place)}): what they wrote into their inputs is read "
        "elsewhere too, so that the swap changes more than the function"
    )
