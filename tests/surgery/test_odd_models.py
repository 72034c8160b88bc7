"""Each model of ``odd_models``, swapped, against its twin edited by hand: equal to the bit."""

from __future__ import annotations

import copy
import io
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import odd_models
import pytest
import torch
from odd_models import CASES, Case, results
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import lightning_acts as acts
from lightning_acts.surgery.report import SwapReport

# Checkpointing complains about the passes without gradients, in which a model is observed.
pytestmark = pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad:UserWarning")

every_case = pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)


def make(case: Case) -> tuple[nn.Module, tuple[Tensor, ...]]:
    torch.default_generator.manual_seed(1)  # torch.manual_seed takes milliseconds
    return case.make(), case.inputs()


def with_weights_of(model: nn.Module, twin: nn.Module) -> nn.Module:
    twin.load_state_dict(model.state_dict(), strict=True)
    return twin


def swap(case: Case, model: nn.Module, inputs: tuple[Tensor, ...], new: str = "mish") -> SwapReport:
    mapping = dict.fromkeys(case.swapped.split(), new)
    return acts.swap(model, mapping, include=case.include, role=case.role, example_input=inputs)


def is_complete(case: Case, report: SwapReport) -> bool:
    """Whether the odd site was swapped too, where a case leaves the choice."""
    allowed = {case.sites, case.sites - 1} if case.otherwise else {case.sites}
    assert len(report.swapped) in allowed, str(report)
    return len(report.swapped) == case.sites


def expected_twin(case: Case, report: SwapReport, model: nn.Module) -> nn.Module:
    twin = case.twin if case.otherwise is None or is_complete(case, report) else case.otherwise
    return with_weights_of(model, twin(nn.Mish))


def assert_equal(one: dict[str, Tensor | None], other: dict[str, Tensor | None]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        expected = other[name]
        assert (value is None) == (expected is None), name
        assert value is None or expected is None or torch.equal(value, expected), name


def assert_alike(one: nn.Module, other: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    for training in (False, True):
        assert_equal(results(one, inputs, training), results(other, inputs, training))


class Operations(TorchDispatchMode):
    """Notes what ATen executes."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def operations(model: nn.Module, inputs: tuple[Tensor, ...]) -> list[str]:
    with torch.no_grad(), Operations() as seen:
        model.eval()(*inputs)
    return seen.names


def works(action: Any) -> bool:
    """Whether the original itself stands what is asked of the swapped model."""
    try:
        action()
    except Exception:
        return False
    return True


def saved_whole(model: nn.Module) -> bytes:
    buffer = io.BytesIO()
    torch.save(model, buffer)
    return buffer.getvalue()


def loaded_whole(data: bytes) -> nn.Module:
    model: nn.Module = torch.load(io.BytesIO(data), weights_only=False)
    return model


def own_frames(model: nn.Module, inputs: tuple[Tensor, ...]) -> list[tuple[str, int | None, str, str | None]]:
    """The frames of the models' files in the traceback of a failing forward."""
    with pytest.raises((RuntimeError, AssertionError)) as caught:
        model(*inputs)
    own = os.path.dirname(odd_models.__file__)
    frames = traceback.extract_tb(caught.value.__traceback__)
    own_ones = [frame for frame in frames if os.path.dirname(frame.filename) == own]
    return [(frame.filename, frame.lineno, frame.name, frame.line) for frame in own_ones]


class TestTheTwinsThemselves:
    """Without these, a wrong twin and a wrong swap could agree."""

    @every_case
    def test_with_the_original_activation_they_are_the_model(self, case: Case) -> None:
        model, inputs = make(case)
        assert_alike(model, with_weights_of(model, case.twin(case.original)), inputs)
        if case.otherwise:
            assert_alike(model, with_weights_of(model, case.otherwise(case.original)), inputs)

    @every_case
    def test_with_another_they_are_not(self, case: Case) -> None:
        model, inputs = make(case)
        output = results(model, inputs, False)["output"]
        swapped = [with_weights_of(model, twin(nn.Mish)) for twin in (case.twin, case.otherwise) if twin]
        for twin in swapped:
            assert not torch.equal(results(twin, inputs, False)["output"], output)
        if len(swapped) == 2:
            for twin in swapped:
                twin.flag = True  # for the branch that is not taken
            one, other = (results(twin, inputs, False)["output"] for twin in swapped)
            assert not torch.equal(one, other)

    @every_case
    def test_nothing_of_the_original_is_left_in_a_whole_one(self, case: Case) -> None:
        if case.left and not case.otherwise:
            pytest.skip("something is meant to stay")
        names = operations(case.twin(nn.Mish), make(case)[1])
        assert any("mish" in name for name in names)
        if "stay" not in case.name:
            assert not any(re.search("relu|clamp|hardtanh|silu|gelu|sigmoid|tanh", name) for name in names)

    @every_case
    def test_their_tracebacks_have_lines_to_compare(self, case: Case) -> None:
        model, inputs = make(case)
        if type(model).__module__.startswith("torch."):
            pytest.skip("its forward is torch's")
        assert own_frames(model, tuple(value[..., :3] for value in inputs))

    def test_there_are_enough_of_them(self) -> None:
        assert len(CASES) >= 60
        assert sum(not case.left for case in CASES.values()) >= 60


class TestSwapped:
    @every_case
    def test_the_report_tells_what_was_swapped_and_what_was_not(self, case: Case) -> None:
        model, inputs = make(case)
        report = swap(case, model, inputs)
        complete = is_complete(case, report)
        if case.kinds:
            assert {entry.site.kind for entry in report.swapped} == set(case.kinds.split())
        paths = [entry.site.path for entry in (*report.swapped, *report.left)]
        assert len(set(paths)) == len(paths)
        assert all(left.obstacle for left in report.left)
        if case.left and not (case.otherwise and complete):
            reasons = [f"{left.site} {left.obstacle}" for left in report.left] + list(report.notes)
            assert any(re.search(case.left, reason, re.IGNORECASE) for reason in reasons), str(report)
        else:
            names = {spec.partition("(")[0] for spec in case.swapped.split()}
            of_these = [left for left in report.left if left.site.activation.partition("(")[0] in names]
            assert not [left for left in of_these if left.site.role in case.role], str(report)

    @every_case
    def test_equal_to_the_bit_to_the_twin(self, case: Case) -> None:
        model, inputs = make(case)
        twin = expected_twin(case, swap(case, model, inputs), model)
        assert_alike(model, twin, inputs)
        with torch.no_grad():  # where torch has faster ways
            assert torch.equal(model.eval()(*inputs), twin.eval()(*inputs))
        if hasattr(model, "flag"):
            model.flag = twin.flag = True
            assert_alike(model, twin, inputs)

    @every_case
    def test_runs_the_operations_of_the_twin(self, case: Case) -> None:
        if not case.same_operations:
            pytest.skip("writing back takes operations of its own")
        model, inputs = make(case)
        twin = expected_twin(case, swap(case, model, inputs), model)
        assert operations(model, inputs) == operations(twin, inputs)

    @every_case
    def test_leaves_another_instance_alone(self, case: Case) -> None:
        (model, inputs), (other, _), (untouched, _) = make(case), make(case), make(case)
        before = [results(untouched, inputs, training) for training in (False, True)]
        swap(case, model, inputs)
        for training, expected in zip((False, True), before, strict=True):
            assert_equal(results(other, inputs, training), expected)

    @every_case
    def test_classes_are_what_they_were(self, case: Case) -> None:
        model, inputs = make(case)
        classes = {name: type(module) for name, module in model.named_modules()}
        swapped = {path for entry in swap(case, model, inputs).swapped for path in entry.site.paths}
        for name, cls in classes.items():
            if name not in swapped:
                now = model.get_submodule(name)
                # A parametrization's class is the module's own, and is made again over the class that was rewritten.
                assert isinstance(now, cls.__bases__[0] if hasattr(now, "parametrizations") else cls)
                names = ("__name__", "__qualname__", "__module__", "__doc__")
                assert [getattr(type(now), each) for each in names] == [getattr(cls, each) for each in names]

    @every_case
    def test_the_plan_does_it_again_without_an_example(self, case: Case) -> None:
        (model, inputs), (fresh, _) = make(case), make(case)
        report = swap(case, model, inputs)
        plan = acts.Plan.from_dict(report.plan.to_dict())
        again = acts.swap(fresh, plan)
        assert [entry.site.path for entry in again.swapped] == [entry.site.path for entry in report.swapped]
        assert_alike(fresh, expected_twin(case, report, model), inputs)

    @every_case
    def test_parameters_by_name(self, case: Case) -> None:
        (model, inputs), (fresh, _) = make(case), make(case)
        report = swap(case, model, inputs, "prelu(init=0.1)")
        before = fresh.state_dict().keys()
        acts.swap(fresh, report.plan)
        assert len(fresh.state_dict().keys() - before) >= len(report.swapped)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(0.9)
        fresh.load_state_dict(model.state_dict(), strict=True)
        assert_alike(fresh, model, inputs)


@every_case
def test_restore_brings_everything_back(case: Case) -> None:
    model, inputs = make(case)
    before = [results(model, inputs, training) for training in (False, True)]
    modules = dict(model.named_modules(remove_duplicate=False))
    classes = {name: type(module) for name, module in modules.items()}
    attributes = {name: dict(vars(module)) for name, module in modules.items()}
    keys = list(model.state_dict())
    swap(case, model, inputs)
    assert list(model.state_dict()) == keys
    acts.restore(model)
    now = dict(model.named_modules(remove_duplicate=False))
    assert list(now) == list(modules)
    assert all(now[name] is module for name, module in modules.items())
    assert all(type(now[name]) is cls for name, cls in classes.items())
    for name, expected in attributes.items():
        assert list(vars(now[name])) == list(expected)
        for key, value in expected.items():
            generated = key in ("_code", "_lineno_map")  # by a GraphModule, whenever its graph has changed
            assert vars(now[name])[key] is value or (generated and vars(now[name])[key] == value)
    assert list(model.state_dict()) == keys
    for training, expected_results in zip((False, True), before, strict=True):
        assert_equal(results(model, inputs, training), expected_results)


class TestCopies:
    @every_case
    def test_a_deep_copy_is_independent(self, case: Case) -> None:
        model, inputs = make(case)
        if not works(lambda: copy.deepcopy(model)):
            pytest.skip("the original can't be copied")
        swap(case, model, inputs, "prelu(init=0.1)")
        before = results(model, inputs, False)
        model.zero_grad()
        copied = copy.deepcopy(model)
        assert_equal(results(copied, inputs, False), before)
        assert all(parameter.grad is None for parameter in model.parameters())
        assert not {id(p) for p in copied.parameters()} & {id(p) for p in model.parameters()}
        with torch.no_grad():
            for parameter in copied.parameters():
                parameter.fill_(0.5)
        assert_equal(results(model, inputs, False), before)
        acts.restore(copied)
        assert_equal(results(model, inputs, False), before)

    @every_case
    def test_saved_and_loaded_whole(self, case: Case) -> None:
        model, inputs = make(case)
        if not works(lambda: loaded_whole(saved_whole(model))):
            pytest.skip("the original can't be pickled")
        report = swap(case, model, inputs)
        loaded = loaded_whole(saved_whole(model))
        assert_alike(loaded, expected_twin(case, report, model), inputs)
        acts.restore(loaded)
        assert_alike(loaded, make(case)[0], inputs)
        assert_alike(model, expected_twin(case, report, model), inputs)

    @every_case
    def test_loaded_in_a_fresh_process(self, case: Case, from_a_fresh_process: dict[str, Any]) -> None:
        got = from_a_fresh_process[case.name]
        if got is None:
            pytest.skip("the original can't be pickled")
        assert not isinstance(got, str), got
        swapped, restored, twin, original = got
        for one, other in ((swapped, twin), (restored, original)):
            for training in (False, True):
                assert_equal(one[training], other[training])


# All four there: two processes need not round alike.
_FRESH_PROCESS = """
import io, sys, torch
import lightning_acts as acts
from odd_models import results
given, got = torch.load(sys.argv[1], weights_only=False), {}
def of(model):
    return [results(model, inputs, training) for training in (False, True)]
for name, (*pickled, inputs) in given.items():
    try:
        swapped, twin, original = (torch.load(io.BytesIO(one), weights_only=False) for one in pickled)
        got[name] = [of(swapped)]
        acts.restore(swapped)
        got[name] += [of(swapped), of(twin), of(original)]
    except Exception as error:
        got[name] = f"{type(error).__name__}: {error}"
torch.save(got, sys.argv[2])
"""


@pytest.fixture(scope="module")
def from_a_fresh_process(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each swapped model, restored too, its twin and its original compute there; the error; None if unpicklable."""
    folder = tmp_path_factory.mktemp("fresh")
    given, got = {}, {}
    for case in CASES.values():
        model, inputs = make(case)
        if not works(lambda model=model: loaded_whole(saved_whole(model))):
            got[case.name] = None
            continue
        try:
            original = saved_whole(model)
            report = swap(case, model, inputs)
            twin = expected_twin(case, report, model)
            given[case.name] = (saved_whole(model), saved_whole(twin), original, inputs)
        except Exception as error:
            got[case.name] = f"before: {type(error).__name__}: {error}"
    torch.save(given, folder / "given.pt")
    paths = [str(Path(odd_models.__file__).parents[1]), str(Path(acts.__file__).parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-W", "ignore", "-c", _FRESH_PROCESS, "given.pt", "got.pt"]
    subprocess.run(command, cwd=folder, env=environment, check=True)
    return {**got, **torch.load(folder / "got.pt", weights_only=False)}


#: Where the swapped model is not taken although the original is: a vjp of a lambda goes on with values that torch.export
#: does not have.
_BEYOND_COMPILERS = ("torch.func.vjp of a lambda",)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what the compilers say about the originals
class TestCompilers:
    @pytest.fixture(autouse=True)
    def _fresh(self) -> Iterator[None]:
        torch._dynamo.reset()
        yield
        torch._dynamo.reset()

    @staticmethod
    def compiled(model: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        output: Tensor = torch.compile(model.eval(), backend="eager", fullgraph=True)(*inputs)
        return output

    @staticmethod
    def exported(model: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        output: Tensor = torch.export.export(model.eval(), inputs, strict=False).module()(*inputs)
        return output

    @every_case
    @pytest.mark.parametrize("way", ["compiled", "exported"])
    def test_takes_what_it_took_before(self, case: Case, way: str) -> None:
        run = getattr(self, way)
        model, inputs = make(case)
        if not works(lambda: run(model, inputs)):
            pytest.skip(f"the original can't be {way}")
        if case.name in _BEYOND_COMPILERS:
            pytest.skip("a swap costs this one the compilers: see above")
        torch._dynamo.reset()
        model, _ = make(case)
        twin = expected_twin(case, swap(case, model, inputs), model)
        assert torch.equal(run(model, inputs), twin.eval()(*inputs))


def _fail(module: nn.Module, inputs: Any) -> None:
    raise RuntimeError("on purpose")


@every_case
def test_tracebacks_show_the_same_lines(case: Case) -> None:
    (model, inputs), (original, _) = make(case), make(case)
    swap(case, model, inputs)
    wrong = tuple(value[..., :3] for value in inputs)
    assert own_frames(model, wrong) == own_frames(original, wrong)
    for each in (model, original):
        last = [module for module in each.modules() if isinstance(module, nn.Linear)][-1]
        last.register_forward_pre_hook(_fail)
    assert own_frames(model, inputs) == own_frames(original, inputs)
