import inspect
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import typer.main
from torch import nn

import lightning_acts as acts
from lightning_acts.cli.app import app
from lightning_acts.runs.checking import check_config
from lightning_acts.runs.config import load
from lightning_acts.surgery.finding.sites import locate
from lightning_acts.surgery.request import OPTIONS, SwapOptions

# A value of each option that is not its default, with what the request holds of it.
GIVEN: dict[str, tuple[Any, Any]] = {
    "include": ("[0-9]", ("[0-9]",)),
    "exclude": (["3", "re:4|5"], ("3", "re:4|5")),
    "role": (["output", "hidden"], ("hidden", "output")),
    "share": ("place", "place"),
    "where": (f"{__name__}:early", f"{__name__}:early"),
    "write_back": (False, False),
    "backend": ("lean", "lean"),
}


def early(site: acts.Site) -> bool:
    return site.path == "1"


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))


def options(name: str | None = None) -> dict[str, Any]:
    return {one: value for one, (value, _) in GIVEN.items() if name in (None, one)}


def test_every_option_is_tried_here() -> None:
    assert tuple(GIVEN) == OPTIONS == tuple(SwapOptions.__annotations__)


@pytest.mark.parametrize("name", [None, *GIVEN])
def test_plain_data_and_back(name: str | None) -> None:
    request = acts.SwapRequest({"relu": "elu(alpha=0.5)", "tanh": None, "0.*": "silu"}, **options(name))
    data = request.to_dict()
    assert json.loads(json.dumps(data)) == data
    assert acts.SwapRequest.from_dict(data) == request == acts.SwapRequest.from_dict(request.plain().to_dict())
    for one in options(name):
        assert getattr(request, one) == GIVEN[one][1]


def test_objects_are_written_by_their_names() -> None:
    map = {nn.ReLU: nn.Mish, "Leaky-ReLU": {"name": "elu", "alpha": 0.5}, nn.Tanh: None}
    data = acts.SwapRequest(map, where=early).to_dict()
    assert data["map"] == {"relu": "mish", "leaky_relu": "elu(alpha=0.5)", "tanh": None}
    assert data["where"] == f"{__name__}:early" and acts.SwapRequest.from_dict(data).test() is early


def test_what_is_no_option_is_left_out_of_old_plans() -> None:
    old = {
        "map": {"relu": "mish"},
        "include": [],
        "exclude": [],
        "role": ["hidden"],
        "share": "site",
        "write_back": True,
    }
    assert acts.SwapRequest.from_dict(old).to_dict() == old == acts.SwapRequest({"relu": "mish"}).to_dict()


@pytest.mark.parametrize(
    ("map", "given", "message"),
    [
        ({"relu": nn.Identity}, {"where": lambda site: True}, "where=<function .* can't be written down"),
        ({"relu": lambda site: "mish"}, {}, "'relu': a function of the site can't be written down"),
        ({"relu": torch.sinc}, {}, "not registered: see acts.register"),
    ],
)
def test_what_has_no_name_is_refused_where_plain_data_is_needed(map: Any, given: Any, message: str) -> None:
    request = acts.SwapRequest(map, **given)
    for refuse in (request.to_dict, request.plain, lambda: acts.ActivationSwap(request)):
        with pytest.raises(acts.SwapError, match=message):
            refuse()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"include": 3}, "include=3: paths and globs"),
        ({"exclude": "re:("}, "'re:\\(' is no regular expression"),
        ({"role": "hiden"}, "no role 'hiden'; did you mean 'hidden'"),
        ({"role": 3}, "no role 3. The roles: hidden"),
        ({"share": "cal"}, "share='cal'.*did you mean 'call'"),
        ({"where": "0.*"}, "where='0.\\*' is no function of a site"),
        ({"write_back": "no"}, "write_back='no': True or False"),
        ({"backend": "fast"}, "backend='fast': one of torch, eager, lean, compiled, auto"),
    ],
)
def test_wrong_values(given: dict[str, Any], message: str) -> None:
    for make in (
        lambda: acts.SwapRequest({"relu": "mish"}, **given),
        lambda: acts.swap(net(), {"relu": "mish"}, **given),
        lambda: acts.ActivationSwap({"relu": "mish"}, **given),
        lambda: acts.SwapRequest.from_dict({"map": {"relu": "mish"}, **given}, "x.json"),
    ):
        with pytest.raises(acts.SwapError, match=message):
            make()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("tests_of_nobody:early", "no module 'tests_of_nobody'"),
        (f"{__name__}:erly", "no 'erly'; did you mean 'early'"),
        (f"{__name__}:GIVEN", "is no function of a site"),
        ("os:system", "is refused"),
    ],
)
def test_import_paths_that_lead_nowhere(path: str, message: str) -> None:
    request = acts.SwapRequest({"relu": "mish"}, where=path)  # the plan that holds it imports nothing
    for use in (lambda: acts.swap(net(), request), lambda: acts.ActivationSwap(request)):
        with pytest.raises(acts.SwapError, match=message):
            use()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, "holds map, include"),
        ({"include": "x"}, "has no 'map'"),
        ({"map": {"relu": 3}}, "map: holds 3, which is not a text; put it in quotes"),
        ({"map": {"relu": "mish"}, "exlude": "x"}, "no key 'exlude'; did you mean 'exclude'"),
    ],
)
def test_data_that_is_no_request(data: Any, message: str) -> None:
    with pytest.raises(acts.SwapError, match=f"x.json.*{message}"):
        acts.SwapRequest.from_dict(data, "x.json")


@pytest.mark.parametrize("name", GIVEN)
class TestEachPlaceTakesEachOption:
    def test_functions(self, name: str) -> None:
        request = acts.SwapRequest({"relu": "mish"}, **options(name))
        for given in ((request, {}), ({"relu": "mish"}, options(name))):
            report = acts.swap(net(), given[0], **given[1])
            assert report.plan and report.plan.request == request.plain()
            with acts.swapped(net(), given[0], **given[1]) as report:
                assert report.plan and report.plan.request == request.plain()
            assert acts.ActivationSwap(given[0], **given[1]).request == request.plain()
        assert acts.Plan.from_dict(report.plan.to_dict()) == report.plan
        for function in (acts.swap, acts.swapped, acts.ActivationSwap):
            assert (
                inspect.signature(function).parameters[name].default
                == inspect.signature(acts.SwapRequest).parameters[name].default
            )

    def test_a_config(self, name: str, tmp_path: Path) -> None:
        entry = json.dumps({"map": {"relu": "mish"}, **options(name)})
        (tmp_path / "a.yaml").write_text(f"swap: [{entry}]")
        (given,) = check_config(load(["digits", str(tmp_path / "a.yaml")])).swap
        assert acts.ActivationSwap(**given).request == acts.SwapRequest({"relu": "mish"}, **options(name))

    def test_the_command_line(self, name: str) -> None:
        (parameter,) = (p for p in typer.main.get_command(app).commands["swap"].params if p.name == name)  # type: ignore[attr-defined]
        assert {part.strip("-") for part in parameter.opts} == {name.replace("_", "-")}
        assert parameter.default is None  # left to the request

    def test_beside_a_request_or_a_plan_it_has_no_place(self, name: str) -> None:
        plan = acts.swap(net(), {"relu": "mish"}).plan
        for whole in (plan, acts.SwapRequest({"relu": "mish"})):
            with pytest.raises(acts.SwapError, match=f"a {type(whole).__name__} says itself .*: {name}= has no place"):
                acts.swap(net(), whole, **options(name))


def test_there_is_no_such_option() -> None:
    for take in (acts.ActivationSwap, lambda *a, **k: acts.swap(net(), *a, **k)):
        with pytest.raises(TypeError, match="no option 'exlude'; did you mean 'exclude'"):
            take({"relu": "mish"}, exlude="x")


def test_where_by_import_path_limits_a_swap() -> None:
    model = net()
    acts.swap(model, {"relu": "mish"}, where=f"{__name__}:early")
    assert (type(model[1]), type(model[3])) == (nn.Mish, nn.ReLU)


def test_a_request_limited_further() -> None:
    limited = acts.SwapRequest({"relu": "mish"}, where=early).limited_to(lambda site: site.path != "1")
    sites = [one.site for one in locate(net()).located]
    test = limited.test()
    assert test and not any(map(test, sites)) and any(map(early, sites))
