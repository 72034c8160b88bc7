"""Small models, each with one odd way to apply an activation, and for each one a twin edited by hand.

A file holds those whose oddity is of a kind. A twin takes what makes the activation: with the original's it computes what
the model does, with another's what the model must compute after a swap. Parameters have the same names in both.
"""

# Each file registers its models.
from odd_models import (  # noqa: F401
    attributes,
    classes,
    closures,
    decorators,
    dispatch,
    expressions,
    formulas,
    graphs,
    hooks,
    in_place,
    methods,
    roles,
    spellings,
    torch_layers,
    transforms,
    trees,
)
from odd_models.case import CASES, Case, results

__all__ = ["CASES", "Case", "results"]
