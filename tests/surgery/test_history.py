import copy
import functools
import itertools
import pickle
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.fx
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import remove_parametrizations
from torch.optim.swa_utils import AveragedModel

import lightning_acts as acts
from lightning_acts.surgery import history


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))


def test_restore_undoes_all_and_leaves_no_trace() -> None:
    model = mlp()
    before = set(vars(model))
    originals = model[1], model[3]
    acts.swap(model, {"relu": "mish"})
    acts.swap(model, {"mish": "silu"})
    acts.swap(model, {"tanh": "relu"})
    acts.restore(model)
    assert (model[1], model[3]) == originals
    assert set(vars(model)) == before
    acts.restore(model)
    acts.restore(nn.Linear(2, 2))


def test_undo_is_last_in_first_out() -> None:
    model = mlp()
    first = acts.swap(model, {"relu": "mish"})
    second = acts.swap(model, {"mish": "silu"})
    with pytest.raises(acts.SwapError, match="1 later swap"):
        first.undo()
    second.undo()
    assert type(model[1]) is nn.Mish
    first.undo()
    with pytest.raises(acts.SwapError, match="undone already"):
        first.undo()


def test_swaps_within_parts_are_restored_from_the_whole() -> None:
    model = nn.Sequential(mlp(), nn.Linear(2, 2))
    acts.swap(model[0], {"relu": "mish"})
    acts.restore(model)
    assert type(model[0][1]) is nn.ReLU


def test_swaps_of_the_whole_and_of_parts_are_undone_in_reverse() -> None:
    model = nn.Sequential(mlp(), nn.Linear(2, 2))
    relu = model[0][1]
    acts.swap(model, {"relu": "mish"})
    acts.swap(model[0], {"mish": "silu"})
    acts.restore(model)
    assert model[0][1] is relu


def test_a_block_takes_back_what_was_swapped_within_it() -> None:
    model = mlp()
    relu = model[1]
    with pytest.raises(KeyError), acts.swapped(model, {"relu": "mish"}):
        acts.swap(model, {"mish": "silu"})
        raise KeyError
    assert model[1] is relu


def test_originals_are_outside_of_the_module_tree() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.PReLU())
    acts.swap(model, {"prelu": "mish"})
    assert set(model.state_dict()) == {"0.weight", "0.bias"}
    assert len(list(model.parameters())) == 2 and len(list(model.modules())) == 3


def test_mode_and_type_follow_what_happened_since() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.PReLU())
    acts.swap(model, {"prelu": "rrelu"})
    model.double().eval()
    acts.restore(model)
    assert model[1].weight.dtype is torch.float64 and not model[1].training
    assert model(torch.ones(1, 2, dtype=torch.float64)).dtype is torch.float64


def test_what_was_changed_since_is_left_with_a_warning() -> None:
    model = mlp()
    acts.swap(model, {"relu": "mish", "tanh": "mish"})
    model[1] = own = nn.GELU()
    with pytest.warns(UserWarning, match="1: not restored"):
        acts.restore(model)
    assert model[1] is own and type(model[3]) is nn.Tanh


def test_trained_weights_stay() -> None:
    model = mlp()
    acts.swap(model, {"relu": "mish"})
    with torch.no_grad():
        model[0].weight.fill_(7.0)
    acts.restore(model)
    assert (model[0].weight == 7).all()


def test_a_deep_copy_restores_its_own() -> None:
    model = mlp()
    relu = model[1]
    acts.swap(model, {"relu": "mish"})
    copied = copy.deepcopy(model)
    acts.restore(copied)
    assert type(copied[1]) is nn.ReLU and copied[1] is not relu
    assert type(model[1]) is nn.Mish
    acts.restore(model)
    assert model[1] is relu


def test_a_restored_copy_has_the_weights_of_the_model_and_none_of_its_swaps() -> None:
    model, x = mlp(), torch.randn(16, 4)
    before = model(x)
    acts.swap(model, {"relu": "prelu"})
    twin = history.restored_copy(model)
    assert [type(part) for part in twin] == [type(part) for part in mlp()]
    assert type(model[1]) is nn.PReLU
    assert torch.equal(twin(x), before)
    with torch.no_grad():
        model[0].weight.zero_()
    assert twin[0].weight is model[0].weight


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.act, self.inner = nn.Linear(4, 4), nn.ReLU(), nn.Sequential(nn.Linear(4, 4), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.inner(self.act(self.fc(x))))  # type: ignore[no-any-return]


class TestShallowCopies:
    @pytest.mark.parametrize("include", ["*", "inner.*", "relu/*"])
    @pytest.mark.parametrize("copies", [1, 2])
    @pytest.mark.parametrize("first", [lambda model: model, copy.deepcopy])
    def test_nothing_is_done_to_what_they_share(self, include: str, copies: int, first: Any) -> None:
        model, x = Nested(), torch.randn(64, 4)
        before = model(x)
        acts.swap(model, {"relu": "tanh"}, include=include)
        model = first(model)
        shallow = model
        for _ in range(copies):
            shallow = copy.copy(shallow)
        swapped = model(x)
        assert not torch.equal(swapped, before)
        for undo in (acts.restore, lambda other: history.undo(other, history.newest(other))):
            with pytest.raises(acts.SwapError, match="the model is a shallow copy of a swapped Nested"):
                undo(shallow)
            assert torch.equal(model(x), swapped)
            assert torch.equal(shallow(x), swapped)
            acts.verify(model, x)
        acts.restore(model)
        assert torch.equal(model(x), before)

    def test_one_that_is_left_alone_is_restored(self) -> None:
        model, x = Nested(), torch.randn(64, 4)
        before = model(x)
        acts.swap(model, {"relu": "tanh"})
        model = copy.copy(model)
        acts.restore(model)
        assert torch.equal(model(x), before)

    @pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
    def test_a_whole_copy_of_one_is_restored(self, copied: Any) -> None:
        model, x = Nested(), torch.randn(64, 4)
        before = model(x)
        acts.swap(model, {"relu": "tanh"})
        swapped = model(x)
        whole = copied(copy.copy(model))
        acts.restore(whole)
        assert torch.equal(whole(x), before)
        assert torch.equal(model(x), swapped)

    def test_beside_the_original_in_one_model(self) -> None:
        block, x = Nested(), torch.randn(64, 4)
        model = nn.Sequential(block, nn.Linear(4, 4), copy.copy(block))
        before = model(x)
        acts.swap(block, {"relu": "tanh"})
        model[2] = copy.copy(block)
        acts.restore(model)
        assert torch.equal(model(x), before)


class ByKeyword(nn.Module):
    """A class whose copies are made with the arguments that the instance had, by keyword."""

    made_with: dict[str, Any]

    def __new__(cls, **named: Any) -> "ByKeyword":
        made = super().__new__(cls)
        made.__dict__["made_with"] = named
        return made

    def __init__(self, *, base: int) -> None:
        super().__init__()
        self.fc = nn.Linear(base, base)

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (), self.made_with

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.relu(self.fc(x)))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_of_what_is_made_by_keyword(copied: Any) -> None:
    model, x = ByKeyword(base=4), torch.randn(2, 4)
    acts.swap(model, {"relu": "tanh"}, example_input=x)
    acts.verify(model, x)
    other = copied(model)
    assert torch.equal(other(x), model.fc(torch.tanh(model.fc(x))))
    assert other.made_with == {"base": 4}
    acts.restore(other)
    assert torch.equal(other(x), model.fc(torch.relu(model.fc(x)))) and type(other) is ByKeyword


def test_swaps_of_parts_that_are_gone_are_forgotten() -> None:
    model = nn.ModuleDict({"net": mlp()})
    acts.swap(model, {"relu": "mish"})
    model["net"] = mlp()
    history.forget_lost(model)
    assert history.swaps_of(model) == []


class Scaled(nn.Module):
    """A parameter of its own, a call, a module and a function in an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.act, self.last = nn.Parameter(torch.randn(4, 4)), nn.ReLU(), nn.Linear(4, 4)
        self.function = F.relu

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.function(self.act(F.relu(x @ self.weight) - 0.1) - 0.1))  # type: ignore[no-any-return]


class Whole(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = Scaled(), Scaled()
        self.other.act = self.one.act

    def forward(self, x: Tensor) -> Tensor:
        return self.other(self.one(x))  # type: ignore[no-any-return]


X = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))


class TestPartsAndWholes:
    def test_paths_are_those_from_the_root(self) -> None:
        model = Whole()
        acts.swap(model, {"relu": "mish"})
        (plan,) = history.plans_of(model.one)
        assert [site.paths for site in plan.sites] == [("act",), ("function",), ("relu/0",)]
        (plan,) = history.plans_of(nn.ModuleDict({"a": model, "b": nn.Linear(1, 1)}))
        assert ("a.one.act", "a.other.act") in [site.paths for site in plan.sites]

    def test_the_plan_of_the_report_is_that_of_the_model(self) -> None:
        model = Whole()
        report = acts.swap(model, {"relu": "mish"})
        assert history.plans_of(model) == [report.plan]

    @pytest.mark.parametrize("wrap", [lambda m: torch.compile(m, backend="eager"), AveragedModel, copy.deepcopy])
    def test_wrappers_stand_for_the_model(self, wrap: Any, tmp_path: Path) -> None:
        model = Whole()
        acts.swap(model.one, {"relu": "prelu(init=0.3)"})
        wrapped = wrap(model)
        assert acts.verify(wrapped, X).sites
        acts.save_swaps(wrapped, tmp_path)
        fresh, plain = wrap(Whole()), Whole()
        for loaded, state in ((fresh, wrapped), (plain, model)):
            acts.load_swaps(loaded, tmp_path / "swap.json")
            loaded.load_state_dict(state.state_dict())
            assert torch.equal(loaded(X), model(X))
        acts.restore(wrapped)
        assert history.swaps_of(wrapped) == [] and not any(isinstance(m, nn.PReLU) for m in wrapped.modules())

    @pytest.mark.parametrize("wrap", [nn.DataParallel])
    def test_what_can_not_be_swapped_can_be_saved(self, wrap: Any, tmp_path: Path) -> None:
        model = Whole()
        acts.swap(model, {"relu": "mish"})
        acts.save_swaps(wrap(model), tmp_path)
        with pytest.raises(acts.SwapError, match="Swap before wrapping"):
            acts.load_swaps(wrap(Whole()), tmp_path / "swap.json")
        assert acts.load_swaps(Whole(), tmp_path / "swap.json")

    @pytest.mark.parametrize("order", list(itertools.permutations(["one", "other", ""])))
    def test_restored_in_any_order(self, order: tuple[str, ...]) -> None:
        model = Whole()
        original, before = list(model.modules()), set(vars(model))
        expected = model(X)
        acts.swap(model.one, {"relu": "mish"})
        acts.swap(model, {"mish": "silu", "relu": "silu"})
        acts.swap(model.other, {"silu": "tanh"})
        for path in order:
            part = model.get_submodule(path)
            acts.restore(part)
            assert history.swaps_of(part) == []
            if history.swaps_of(model):
                acts.verify(model, X)
        assert all(a is b for a, b in zip(original, model.modules(), strict=True))
        assert torch.equal(model(X), expected) and set(vars(model)) == before

    def test_undo_of_an_earlier_swap_is_refused_from_any_root(self) -> None:
        model = Whole()
        part = acts.swap(model.one, {"relu": "mish"})
        whole = acts.swap(model, {"mish": "silu"})
        before = model(X)
        with pytest.raises(acts.SwapError, match="1 later swap"):
            part.undo()
        assert torch.equal(model(X), before)
        whole.undo()
        part.undo()
        assert history.swaps_of(model) == []

    def test_a_block_takes_back_what_was_swapped_in_parts(self) -> None:
        model = Whole()
        expected = model(X)
        with acts.swapped(model, {"relu": "mish"}):
            acts.swap(model.one, {"mish": "silu"})
        assert torch.equal(model(X), expected)

    def test_a_copy_of_a_part_is_no_larger_than_the_part(self) -> None:
        model = Whole()
        acts.swap(model, {"relu": "mish"})
        part = copy.deepcopy(model.one)
        assert len(pickle.dumps(part)) < 0.7 * len(pickle.dumps(model))
        acts.restore(part)
        assert torch.equal(part(X), Whole.forward(_Halves(part), X))

    @pytest.mark.parametrize("moved", [lambda m: m[:3], lambda m: nn.Sequential(*list(m.children())[1:4])])
    def test_what_somebody_has_put_into_another_module(self, moved: Any, tmp_path: Path) -> None:
        model = mlp()
        acts.swap(model, {"relu": "prelu", "tanh": "prelu"})
        acts.swap(model, {"prelu": "silu"}, include="1")
        part, fresh = moved(model), moved(mlp())
        assert acts.verify(part, torch.randn(3, 4 if isinstance(part[0], nn.Linear) else 8)).sites
        acts.save_swaps(part, tmp_path)
        acts.load_swaps(fresh, tmp_path / "swap.json")
        assert [type(module) for module in fresh] == [type(module) for module in part]
        original = [type(module) for module in moved(mlp())]
        before = list(model)
        acts.restore(part)
        assert [type(module) for module in part] == original and list(model) == before
        acts.restore(model)
        assert [type(module) for module in model] == [type(module) for module in mlp()]

    def test_a_later_swap_of_what_holds_an_earlier_one(self, clean_registry: None) -> None:
        """The module that was swapped within is taken out of the model as a whole."""
        model = nn.Sequential(Gated(), nn.Linear(4, 4))
        gated, softsign = model[0], model[0].act
        inner = acts.swap(model, {"softsign": "hardsigmoid"}, role=("hidden", "gate", "output"))
        # No hardswish, which nobody has put there.
        assert [site.activation for site in acts.find(model)] == ["hardsigmoid"]
        fresh = nn.Sequential(Gated(), nn.Linear(4, 4))
        acts.swap(fresh, inner.plan)
        acts.register(source="a test", name="gated")(Gated)
        outer = acts.swap(model, {"gated": "mish"})
        assert type(model[0]) is nn.Mish and len(history.swaps_of(model)) == 2
        acts.swap(fresh, history.plans_of(model)[1])
        assert type(fresh[0]) is nn.Mish
        with pytest.raises(acts.SwapError, match="1 later swap"):
            inner.undo()
        acts.restore(model)
        assert model[0] is gated and gated.act is softsign
        with pytest.raises(acts.SwapError, match="undone already"):
            outer.undo()


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.act = nn.Softsign()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.act(x)  # type: ignore[no-any-return]


class _Halves(nn.Module):
    def __init__(self, one: nn.Module) -> None:
        super().__init__()
        self.one, self.other = one, nn.Identity()


class TestChangedSince:
    @pytest.mark.parametrize("when", ["before", "after", "both"])
    @pytest.mark.parametrize("removed", [False, True])
    def test_a_parametrization(self, when: str, removed: bool) -> None:
        model = Scaled()
        model.bias = nn.Parameter(torch.zeros(4))
        before = model(X)
        if when != "after":
            weight_norm(model)
        report = acts.swap(model, {"relu": "tanh"})
        assert len(report.swapped) == 3
        if when == "after":
            weight_norm(model)
        if when == "both":
            weight_norm(model, "bias")
        torch.testing.assert_close(
            model(X), model.last(torch.tanh(torch.tanh(torch.tanh(X @ model.weight) - 0.1) - 0.1))
        )
        acts.verify(model, X)
        twin = history.restored_copy(model)
        torch.testing.assert_close(twin(X), before)
        assert not torch.allclose(model(X), before)
        acts.restore(model)
        torch.testing.assert_close(model(X), before)
        if removed:
            remove_parametrizations(model, "weight")
            if when == "both":
                remove_parametrizations(model, "bias")
            assert type(model) is Scaled
            torch.testing.assert_close(model(X), before)

    def test_a_parametrization_that_is_taken_away_before_the_swap_is(self) -> None:
        model = Scaled()
        before = model(X)
        weight_norm(model)
        acts.swap(model, {"relu": "tanh"})
        remove_parametrizations(model, "weight")
        torch.testing.assert_close(
            model(X), model.last(torch.tanh(torch.tanh(torch.tanh(X @ model.weight) - 0.1) - 0.1))
        )
        acts.restore(model)
        assert type(model) is Scaled
        torch.testing.assert_close(model(X), before)

    def test_a_class_that_can_not_be_put_over_another_is_refused(self) -> None:
        model = Whole()
        acts.swap(model, {"relu": "tanh"})
        before = model(X)
        cls: Any = type(model.other)

        class Over(cls):  # type: ignore[misc]
            def forward(self, x: Tensor) -> Any:
                return super().forward(x)

        model.other.__class__ = Over
        with pytest.raises(acts.SwapError, match="Over was put over the class Scaled.*Take it away first"):
            acts.restore(model)
        assert torch.equal(model(X), before)


def interrupted(action: Callable[[], object], stop: int) -> int:
    """The number of instructions of this package that an action takes; at one of them it is interrupted."""
    count = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        if "lightning_acts" not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            count += 1
            if count == stop:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        action()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)
    return count


class TestInterrupted:
    def model(self) -> nn.Module:
        graph = torch.fx.symbolic_trace(Scaled())
        return nn.Sequential(Scaled(), graph, nn.Sequential(nn.ReLU(), nn.Linear(4, 4)))

    def leave(self, model: nn.Module) -> Callable[[], object]:
        block = acts.swapped(model, {"relu": "silu"})
        block.__enter__()
        return lambda: block.__exit__(None, None, None)

    def restore(self, model: nn.Module) -> Callable[[], object]:
        acts.swap(model, {"relu": "silu"})
        return lambda: acts.restore(model)

    def undo(self, model: nn.Module) -> Callable[[], object]:
        return acts.swap(model, {"relu": "silu"}).undo

    @pytest.mark.parametrize("way", ["leave", "restore", "undo"])
    def test_on_the_way_back(self, way: str) -> None:
        begin = getattr(self, way)
        total = interrupted(begin(self.model()), -1)
        half = []
        for stop in range(1, total, max(1, total // 40)):
            model = self.model()
            before = model(X)
            back = begin(model)
            swapped = model(X)
            interrupted(back, stop)
            after = model(X)
            # Before anything was touched it is all there still; a block is left in any case.
            if not torch.equal(after, before) and (way == "leave" or not torch.equal(after, swapped)):
                half.append(stop)
            acts.restore(model)
            assert torch.equal(model(X), before)
        assert not half

    def test_on_the_way_in(self) -> None:
        total = interrupted(lambda: acts.swap(self.model(), {"relu": "silu"}), -1)
        for stop in range(1, total, max(1, total // 12)):
            model = self.model()
            before = model(X)
            interrupted(functools.partial(acts.swap, model, {"relu": "silu"}), stop)
            if torch.equal(model(X), before):
                assert not history.placed(model)
            else:
                acts.verify(model, X)


def test_two_threads_on_one_model() -> None:
    model = Whole()
    before = model(X)
    refused: list[str] = []

    def work(name: str) -> None:
        for _ in range(5):
            try:
                acts.swap(model, {"relu": name}, example_input=X)
                acts.restore(model)
            except acts.SwapError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=work, args=(name,)) for name in ("mish", "silu", "tanh")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    acts.restore(model)
    assert torch.equal(model(X), before) and all("relu" in message for message in refused)
