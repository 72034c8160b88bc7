from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.surgery.sides import Left, is_function_of_site, refuse_as_replacement
from lightning_acts.surgery.site import Site


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda site: None, True),
        (lambda s: None, False),
        (lambda site, more: None, False),
        (lambda site, more=1: None, True),
        (torch.sin, False),
        (F.relu, False),
        ("relu", False),
        (nn.ReLU, False),
        (nn.ReLU(), False),
    ],
)
def test_functions_of_a_site_are_told_from_activations(function: Any, expected: bool) -> None:
    assert is_function_of_site(function) is expected


def test_annotations_of_functions_of_a_site() -> None:
    def by_class(place: acts.Site) -> str:
        return "mish"

    def by_text(place: "acts.Site") -> str:
        return "mish"

    def of_a_tensor(x: Tensor) -> Tensor:
        return x

    assert [is_function_of_site(f) for f in (by_class, by_text, of_a_tensor)] == [True, True, False]


@pytest.mark.parametrize(
    ("left", "present", "is_meant"),
    [
        ("leaky_relu", "leaky_relu(negative_slope=0.2)", True),
        ("leaky_relu(negative_slope=0.2)", "leaky_relu(negative_slope=0.2)", True),
        ("leaky_relu(negative_slope=0.2)", "leaky_relu", False),
        ("leaky_relu(negative_slope=0.01)", "leaky_relu", True),  # torch's default
        (nn.ReLU, "relu(inplace=True)", True),
        ("relu", "relu6", False),
        ("relu", "unknown activation", False),
        ("unknown activation", "unknown activation", True),
    ],
)
def test_which_sites_are_meant(left: Any, present: str, is_meant: bool) -> None:
    site = Site("1", ("1",), "module", present, "hidden", "", "own.Class")
    assert Left.of(left, None).matches(site) is is_meant


@pytest.mark.parametrize(
    ("replacement", "why"),
    [
        ("swiglu", "changes the shape of its input"),
        ("linear_layer(in_features=2, out_features=2)", "is a layer with weights"),
    ],
)
def test_what_can_not_stand_in_is_refused(replacement: str, why: str) -> None:
    with pytest.raises(acts.SwapError, match=why):
        refuse_as_replacement(replacement)


def test_none_leaves_a_site() -> None:
    refuse_as_replacement(None)
    refuse_as_replacement("mish")
