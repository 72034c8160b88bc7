import json
from dataclasses import replace

import pytest

from lightning_acts.surgery.site import Site

SITE = Site("a", ("a", "b.c"), "module", "relu", "hidden", "unbounded", "torch.nn.ReLU", 2, "net.py:3")


def test_a_site_in_words() -> None:
    assert str(SITE) == "a (= b.c): relu, module, hidden (unbounded) at net.py:3"
    blended = replace(SITE, activation="unknown activation", blend="blend of relu and mish, 50% taken over")
    assert str(blended) == "a (= b.c): blend of relu and mish, 50% taken over, module, hidden (unbounded) at net.py:3"


@pytest.mark.parametrize(("activation", "original"), [("relu", "relu"), ("unknown activation", "own.Bump")])
def test_a_plan_names_an_unknown_one_by_its_type(activation: str, original: str) -> None:
    assert Site("a", ("a",), "module", activation, "hidden", "", "own.Bump").original == original


def test_plain_data_goes_through_json() -> None:
    data = json.loads(json.dumps(SITE.to_dict()))
    assert Site(**{**data, "paths": tuple(data["paths"])}) == SITE
