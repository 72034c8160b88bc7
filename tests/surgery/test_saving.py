import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

import lightning_acts as acts
from lightning_acts.models import build


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))


def bert() -> BertForSequenceClassification:
    torch.manual_seed(0)
    return BertForSequenceClassification(
        BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    ).eval()


def test_several_swaps_beside_a_state_dict(tmp_path: Path) -> None:
    model = mlp()
    acts.swap(model, {"relu": "mish", "tanh": "prelu"})
    acts.swap(model, {"mish": "prelu(init=0.1)"})
    torch.save(model.state_dict(), tmp_path / "model.pt")
    file = acts.save_swaps(model, tmp_path / "model.swap.json")
    fresh = mlp()
    reports = acts.load_swaps(fresh, file)
    fresh.load_state_dict(torch.load(tmp_path / "model.pt"))
    assert [len(report.swapped) for report in reports] == [2, 1]
    x = torch.randn(3, 4)
    assert torch.equal(fresh(x), model(x))
    acts.restore(fresh)
    assert type(fresh[1]) is nn.ReLU and type(fresh[3]) is nn.Tanh


def test_a_model_without_swaps_overwrites_what_was_there(tmp_path: Path) -> None:
    model = mlp()
    report = acts.swap(model, {"relu": "mish"})
    acts.save_swaps(model, tmp_path)
    report.undo()
    acts.save_swaps(model, tmp_path)
    assert acts.load_swaps(mlp(), tmp_path) == []


def test_a_single_plan_will_do(tmp_path: Path) -> None:
    plan = acts.swap(mlp(), {"relu": "mish"}).plan
    fresh = mlp()
    acts.load_swaps(fresh, plan.save(tmp_path / "swap.yaml"))
    assert type(fresh[1]) is nn.Mish


def test_all_or_nothing(tmp_path: Path) -> None:
    model = mlp()
    plans = [acts.swap(model, {"relu": "mish"}).plan, acts.swap(model, {"tanh": "silu"}).plan]
    data: dict[str, Any] = {"plans": [plan.to_dict() for plan in plans]}
    for change, message in [
        ({"original": "gelu"}, "made for another model.*the plan has gelu"),
        ({"replacement": "mishh"}, "did you mean 'mish'.*is the package or file that registers it imported"),
    ]:
        broken = json.loads(json.dumps(data))
        broken["plans"][1]["sites"][0].update(change)
        (tmp_path / "swap.json").write_text(json.dumps(broken))
        fresh = mlp()
        before = list(fresh.modules())
        with pytest.raises(acts.SwapError, match=message):
            acts.load_swaps(fresh, tmp_path / "swap.json")
        assert all(a is b for a, b in zip(before, fresh.modules(), strict=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "swap.json holds no plans of swaps, but list"),
        ('{"plans": {}}', "swap.json holds no plans of swaps"),
        ('{"plans": [{"version": 1}]}', "swap.json: plan 0 is not a plan of a swap: no 'request'"),
        ("{", "swap.json is not JSON"),
    ],
)
def test_files_that_hold_no_swaps(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "swap.json").write_text(text)
    with pytest.raises(acts.SwapError, match=message):
        acts.load_swaps(mlp(), tmp_path)


def test_what_has_no_spec_can_not_be_written(tmp_path: Path) -> None:
    model = mlp()
    acts.swap(model, {"relu": torch.sinc})
    with pytest.raises(acts.SwapError, match="no file can name.*acts.register"):
        acts.save_swaps(model, tmp_path)
    assert not list(tmp_path.iterdir())


IN_A_FRESH_PROCESS = """
import torch, lightning_acts as acts
from torch import nn
from transformers import BertForSequenceClassification
x = torch.arange(8).view(1, 8)
for name, activation in (("relu", nn.ReLU()), ("prelu", nn.PReLU(init=0.3))):
    by_hand, model = (BertForSequenceClassification.from_pretrained(name).eval() for _ in range(2))
    for layer in by_hand.bert.encoder.layer:
        layer.intermediate.intermediate_act_fn = activation
    acts.load_swaps(model, name)
    assert torch.equal(model(x).logits, by_hand(x).logits)
    torch.save(dict(model.state_dict(), logits=model(x).logits), f"{name}.pt")
"""


def test_a_folder_of_transformers(tmp_path: Path) -> None:
    x = torch.arange(8).view(1, 8)
    gelu = bert()(x).logits
    models = {"relu": bert(), "prelu": bert()}
    for name, model in models.items():
        acts.swap(model, {"gelu": name})
        for key, parameter in model.named_parameters():
            if "intermediate_act_fn" in key:
                parameter.data.fill_(0.3)
        model.save_pretrained(tmp_path / name)
        acts.save_swaps(model, tmp_path / name)
    subprocess.run([sys.executable, "-c", IN_A_FRESH_PROCESS], cwd=tmp_path, check=True, timeout=120)
    for name, model in models.items():
        state = torch.load(tmp_path / f"{name}.pt")
        torch.testing.assert_close(
            state.pop("logits"), model(x).logits
        )  # another process: other memory, other rounding
        assert not torch.allclose(model(x).logits, gelu)
        for loaded in (state, build(f"hf:{tmp_path / name}", weights="default").state_dict()):
            assert list(loaded) == list(model.state_dict())
            assert all(torch.equal(loaded[key], value) for key, value in model.state_dict().items())


def test_weights_that_lack_what_a_swap_brings(tmp_path: Path) -> None:
    model = mlp()
    safetensors.torch.save_file(model.state_dict(), tmp_path / "model.safetensors")
    acts.swap(model, {"relu": "prelu"})
    acts.save_swaps(model, tmp_path)
    fresh = mlp()
    with pytest.raises(acts.SwapError, match="the weights there have no 1.weight, which a swap brings"):
        acts.load_swaps(fresh, tmp_path)
    assert type(fresh[1]) is nn.ReLU
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(acts.SwapError, match="has no model.safetensors"):
        acts.load_swaps(fresh, tmp_path)


def test_shards_and_parameters_that_sites_share(tmp_path: Path) -> None:
    model = mlp()
    acts.swap(model, {"relu": "prelu", "tanh": "prelu"}, share="all")
    with torch.no_grad():
        model[1].weight.fill_(0.7)
    safetensors.torch.save_file({"3.weight": model[3].weight.detach()}, tmp_path / "b.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"3.weight": "b.safetensors"}}))
    acts.save_swaps(model, tmp_path)
    fresh = mlp()
    acts.load_swaps(fresh, tmp_path)
    assert fresh[1] is fresh[3] and torch.equal(fresh[1].weight, model[1].weight)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.write_bytes(b""), "model.safetensors can't be read as weights: it is empty, damaged"),
        (lambda file: file.write_bytes(file.read_bytes()[:-8]), "model.safetensors can't be read as weights"),
        (lambda file: file.rename(file.with_suffix(".old")), "has no model.safetensors"),
        (lambda file: (file.parent / "model.safetensors.index.json").write_text("{"), "can't be read as the index"),
        (lambda file: (file.parent / "model.safetensors.index.json").write_text('{"weight_map": {"1.weight": "gone"}}'),
         "gone can't be read as weights"),
        (lambda file: safetensors.torch.save_file({"1.weight": torch.zeros(8)}, file), r"1.weight has the shape \(8,\)"),
    ],
)  # fmt: skip
def test_damaged_weights_beside_the_swaps(damage: Any, message: str, tmp_path: Path) -> None:
    model = mlp()
    acts.swap(model, {"relu": "prelu"})
    safetensors.torch.save_file(model.state_dict(), tmp_path / "model.safetensors")
    acts.save_swaps(model, tmp_path)
    damage(tmp_path / "model.safetensors")
    fresh = mlp()
    with pytest.raises(acts.SwapError, match=message):
        acts.load_swaps(fresh, tmp_path)
    assert type(fresh[1]) is nn.ReLU


def test_a_part_of_what_shares_a_module(tmp_path: Path) -> None:
    """One instance hangs in both halves, and one half alone was swapped."""

    def halves() -> nn.Sequential:
        relu = nn.ReLU()
        return nn.Sequential(nn.Sequential(nn.Linear(4, 4), relu), nn.Sequential(nn.Linear(4, 4), relu))

    model, x = halves(), torch.randn(3, 4)
    acts.swap(model[1], {"relu": "tanh"}, role=("hidden", "output"))
    acts.save_swaps(model, tmp_path / "swap.json")
    fresh = halves()
    (report,) = acts.load_swaps(fresh, tmp_path / "swap.json")
    fresh.load_state_dict(model.state_dict())
    assert [type(half[1]) for half in fresh] == [nn.ReLU, nn.Tanh] and torch.equal(fresh(x), model(x))
    assert [(entry.site.path, entry.site.paths) for entry in report.swapped] == [("1.1", ("1.1",))]
    acts.verify(fresh, x)
    report.undo()
    assert fresh[0][1] is fresh[1][1]


@pytest.mark.parametrize("step", [0, 2, 4])
def test_a_scheduled_swap_is_loaded_in_the_state_in_which_it_was_saved(step: int, tmp_path: Path) -> None:
    model, x = mlp(), torch.randn(3, 4)
    path = {"steps": 2, "parameter": "negative_slope", "start": 0.5, "end": 0.1}
    swaps = [
        acts.ScheduledSwap({"relu": "prelu(init=0.1)"}, at={"step": 1}, blend={"steps": 2}),
        acts.ScheduledSwap({"tanh": "leaky_relu"}, at={"step": 1}, blend=path),
    ]
    for swap in swaps:
        swap.install(model)
    for each in range(step):
        for swap in swaps:
            swap.advance(step=each)
    torch.save(model.state_dict(), tmp_path / "model.pt")
    fresh = mlp()
    acts.load_swaps(fresh, acts.save_swaps(model, tmp_path / "swap.json"))
    fresh.load_state_dict(torch.load(tmp_path / "model.pt"))
    assert torch.equal(fresh(x), model(x))
    acts.restore(fresh)
    assert type(fresh[1]) is nn.ReLU and type(fresh[3]) is nn.Tanh
