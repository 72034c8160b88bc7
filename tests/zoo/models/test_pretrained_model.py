import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError

import lightning as L
import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from trainers import on_one_and_two_processes, quiet
from transformers import AutoModelForImageClassification, ViTConfig, ViTForImageClassification

import lightning_acts as acts
from lightning_acts.models import ModelError
from lightning_acts.runs import training
from lightning_acts.runs.checking import check_config
from lightning_acts.runs.config import load
from lightning_acts.runs.folder import RunError, RunFolder
from lightning_acts.zoo import ImageClassifier, PretrainedModel
from lightning_acts.zoo.models.base import share_of_peak

TINY = "timm:test_efficientnet"
FETCH = "torchvision.models._api.load_state_dict_from_url"


def batches(count: int = 3, size: int = 32) -> DataLoader[tuple[Tensor, ...]]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(4 * count, 3, size, size, generator=generator)
    return DataLoader(TensorDataset(images, torch.randint(5, (4 * count,), generator=generator)), batch_size=4)


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """Weights that torchvision fetches for a ResNet-18."""
    torch.manual_seed(1)
    state = torchvision.models.resnet18().state_dict()
    monkeypatch.setattr(FETCH, lambda *_, **__: state)
    return state


def by_hand(weights: dict[str, Tensor], head: nn.Linear) -> nn.Module:
    model = torchvision.models.resnet18()
    model.load_state_dict(weights)
    model.fc = nn.Linear(512, 5)
    model.fc.load_state_dict(head.state_dict())
    return model


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(value, again) for (a, value), (b, again) in pairs)


def test_a_head_by_hand(weights: dict[str, Tensor]) -> None:
    model = PretrainedModel("torchvision:resnet18", num_classes=5, pretrained=True)
    assert model.heads == ["fc"]
    reference = by_hand(weights, model.backbone.fc)
    assert same(model.backbone, reference)
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(model.eval()(x), reference.eval()(x))
    again = PretrainedModel("torchvision:resnet18", num_classes=1000, pretrained=True)
    assert torch.equal(again.backbone.fc.weight, weights["fc.weight"]), "for these classes the head is known"
    torch.manual_seed(0)
    random = PretrainedModel("torchvision:resnet18", num_classes=5)
    torch.manual_seed(0)
    assert same(random.backbone, torchvision.models.resnet18(num_classes=5))


def train_by_hand(model: nn.Module, groups: list[dict[str, Any]], steps: int) -> None:
    optimizer = torch.optim.AdamW(groups)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: share_of_peak(step, steps))
    for images, labels in batches(steps):
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def test_fine_tuning_by_hand(weights: dict[str, Tensor]) -> None:
    model = PretrainedModel(
        "torchvision:resnet18", num_classes=5, pretrained=True, backbone_lr_factor=0.1, lr=1e-3, weight_decay=0.2
    )
    reference = by_hand(weights, model.backbone.fc)
    for module in list(reference.modules()):
        if hasattr(module, "relu"):
            module.relu = nn.Mish()
    body = [parameter for name, parameter in reference.named_parameters() if not name.startswith("fc")]
    groups = [
        {"params": [reference.fc.weight], "lr": 1e-3, "weight_decay": 0.2},
        {"params": [reference.fc.bias], "lr": 1e-3, "weight_decay": 0.0},
        {"params": [parameter for parameter in body if parameter.dim() > 1], "lr": 1e-4, "weight_decay": 0.2},
        {"params": [parameter for parameter in body if parameter.dim() == 1], "lr": 1e-4, "weight_decay": 0.0},
    ]
    quiet(max_epochs=1, callbacks=[acts.ActivationSwap({"relu": "mish"})]).fit(model, batches())
    train_by_hand(reference.train(), groups, 3)
    assert same(model.backbone, reference)


def test_a_frozen_backbone_gives_features(weights: dict[str, Tensor]) -> None:
    model = PretrainedModel("torchvision:resnet18", num_classes=5, pretrained=True, frozen_epochs=1, lr=1e-2)
    reference = by_hand(weights, model.backbone.fc)
    groups = [
        {"params": [reference.fc.weight], "lr": 1e-2, "weight_decay": 0.05},
        {"params": [reference.fc.bias], "lr": 1e-2, "weight_decay": 0.0},
    ]
    quiet(max_epochs=1).fit(model, batches())
    train_by_hand(reference.eval(), groups, 3)
    assert same(model.backbone, reference)
    assert model.backbone.fc.training


class Snapshots(L.Callback):
    def __init__(self) -> None:
        self.states: list[dict[str, Tensor]] = []

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.states.append({name: value.clone() for name, value in pl_module.state_dict().items()})

    on_train_end = on_train_epoch_start


@pytest.mark.parametrize("optimizer", [None, lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9)])
def test_it_thaws(optimizer: Any) -> None:
    model = PretrainedModel(TINY, num_classes=5, frozen_epochs=2, optimizer=optimizer, lr=1e-2)
    seen = Snapshots()
    # A swap brings parameters to the backbone, which are frozen too.
    trainer = quiet(
        max_epochs=3, callbacks=[acts.ActivationSwap({"silu": "prelu(init=0.1)"}), seen], accumulate_grad_batches=2
    )
    trainer.fit(model, batches(), batches())
    changed = [
        {name for name, value in after.items() if not torch.equal(value, before[name])}
        for before, after in zip(seen.states, seen.states[1:], strict=False)
    ]
    assert changed[0] == changed[1] == {"backbone.classifier.weight", "backbone.classifier.bias"}
    slopes = {name for name, value in seen.states[0].items() if value.numel() == 1 and value.is_floating_point()}
    assert slopes and slopes <= changed[2]
    assert {"weight", "bias", "running_mean", "running_var"} <= {name.rpartition(".")[2] for name in changed[2]}
    assert all(module.training for module in model.modules())


def test_timm_resets_the_classifier_as_we_do(tmp_path: Path) -> None:
    pretrained = timm.create_model("test_efficientnet")
    torch.save(pretrained.state_dict(), tmp_path / "weights.pt")
    model = PretrainedModel(f"{TINY}@{tmp_path / 'weights.pt'}", num_classes=5)
    pretrained.reset_classifier(5)
    pretrained.classifier.load_state_dict(model.backbone.classifier.state_dict())
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(model.eval()(x), pretrained.eval()(x))


VIT = {
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "intermediate_size": 8,
    "image_size": 16,
    "patch_size": 8,
}


def test_transformers(tmp_path: Path) -> None:
    torch.manual_seed(3)
    ViTForImageClassification(ViTConfig(**VIT, num_labels=7)).to(torch.bfloat16).save_pretrained(tmp_path / "vit")
    model = PretrainedModel(f"hf:{tmp_path / 'vit'}", num_classes=5, pretrained=True, image_size=16)
    assert model.heads == ["classifier"] and all(value.dtype == torch.float32 for value in model.parameters())
    reference = AutoModelForImageClassification.from_pretrained(
        tmp_path / "vit", num_labels=5, ignore_mismatched_sizes=True, dtype=torch.float32
    )
    reference.classifier.load_state_dict(model.backbone.classifier.state_dict())
    x = torch.rand(2, 3, 16, 16)
    assert torch.equal(model.eval()(x), reference(pixel_values=x).logits)
    assert [site.activation for site in acts.find(model, x) if site.role == "hidden"] == ["gelu"]
    acts.swap(model, {"gelu": "relu"})
    acts.verify(model, x)


@pytest.mark.parametrize(
    ("backbone", "heads"),
    [
        ("torchvision:squeezenet1_1", ["classifier.1"]),
        ("timm:deit_tiny_distilled_patch16_224", ["head_dist", "head"]),
        ("transformers:ResNetConfig", ["classifier.1"]),
        ("torchvision.models:resnet18", ["fc"]),
        ("own_nets:headless", ["2"]),
    ],
)
@pytest.mark.usefixtures("own_modules")
def test_heads(backbone: str, heads: list[str], tmp_path: Path) -> None:
    source = (
        "from torch import nn\ndef headless(): return nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(4, 9))"
    )
    (tmp_path / "own_nets.py").write_text(source)
    model = PretrainedModel(backbone, num_classes=5)
    assert model.heads == heads
    outputs = [model.backbone.get_submodule(head).weight.shape[0] for head in heads]
    assert outputs == [5] * len(heads)


@pytest.mark.filterwarnings("ignore:The default weight initialization of GoogleNet:FutureWarning")
def test_auxiliary_heads() -> None:
    model = PretrainedModel("torchvision:googlenet", num_classes=5, image_size=64)
    quiet(fast_dev_run=True).fit(model, batches(1, size=64))


def test_gray_images_are_repeated() -> None:
    model = PretrainedModel(TINY, num_classes=5, in_channels=1, image_size=32).eval()
    gray = torch.rand(2, 1, 32, 32)
    assert torch.equal(model(gray), model.backbone(torch.cat([gray, gray, gray], 1)))
    assert model(model.example_input_array).shape == (2, 5)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"backbone": "torchvision:resnet81"}, ModelError, "did you mean 'resnet18'"),
        ({"backbone": "timm:tiny_vitt_5m"}, ModelError, "has no model 'tiny_vitt_5m'; did you mean"),
        ({"backbone": "resnet18"}, ModelError, "as in torchvision:resnet18"),
        ({"backbone": "torchvision:resnet18@IMAGNET1K_V1"}, ModelError, "did you mean 'IMAGENET1K_V1'"),
        ({"backbone": "runs/cnn_digits/none"}, RunError, "there is no run 'runs/cnn_digits/none'"),
        ({"backbone": "torch.nn:Identity", "pretrained": True}, ModelError, "has no weights of its own"),
        ({"backbone": "torch.nn:Identity"}, ModelError, "does not end in a linear layer, but in Identity"),
        ({"backbone": "transformers:BertConfig"}, ModelError, "no model of AutoModelForImageClassification"),
        ({"backbone": TINY, "in_channels": 4}, ModelError, r"in_channels=4: timm:test_eff.* takes images of 3; gray"),
        ({"backbone": TINY, "num_classes": 0}, ValueError, "num_classes=0"),
        ({"backbone": TINY, "frozen_epochs": -1}, ValueError, "frozen_epochs=-1"),
        ({"backbone": TINY, "backbone_lr_factor": 0.0}, ValueError, "backbone_lr_factor=0.0.*above 0"),
        ({"backbone": TINY, "image_size": 0}, ValueError, "image_size=0"),
    ],
)
def test_mistakes(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        PretrainedModel(**options)


def test_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(FETCH, unreachable)
    with pytest.raises(OSError, match=r"could not fetch https://.*resnet18.*no route to host.*put this file at"):
        PretrainedModel("torchvision:resnet18", pretrained=True)


def test_a_checkpoint_holds_all_weights(
    weights: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = PretrainedModel("torchvision:resnet18", num_classes=5, pretrained=True)
    trainer = quiet(max_steps=1, callbacks=[acts.ActivationSwap({"relu": "prelu"})])
    trainer.fit(model, batches())
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    monkeypatch.setattr(FETCH, lambda *_, **__: pytest.fail("weights are fetched"))
    again = acts.load_from_checkpoint(PretrainedModel, tmp_path / "a.ckpt")
    assert same(again, model) and again.hparams == model.hparams and again.hparams["pretrained"]


def trained(name: str, overrides: list[str], out: Path) -> RunFolder:
    checked = check_config(load([name], [*overrides, "trainer.accelerator=cpu"]))
    return training.train(checked, out, lambda folder: None).folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    overrides = ["trainer.max_epochs=2", "model.activation=mish", "swap=[{map: {mish: prelu}}]"]
    return trained("cnn_digits", overrides, tmp_path_factory.mktemp("source"))


def test_a_run_is_a_model(source: RunFolder) -> None:
    model = PretrainedModel(str(source.path), in_channels=1, image_size=8)
    whole = training.model_of_run(str(source.path))
    assert model.heads == ["backbone.14"]
    x = torch.rand(4, 1, 8, 8)
    assert torch.equal(model.eval()(x), whole.eval()(x)), "the same classes keep the head"
    fewer = PretrainedModel(str(source.path), num_classes=3, in_channels=1, image_size=8).eval()
    assert fewer(x).shape == (4, 3)
    names = [name for name in whole.state_dict() if not name.startswith(fewer.heads[0])]
    assert all(torch.equal(fewer.backbone.state_dict()[name], whole.state_dict()[name]) for name in names)


def test_what_a_run_gives_are_scores(tmp_path: Path) -> None:
    source = trained("cnn_digits", ["trainer.max_epochs=1", "+model.output=softmax"], tmp_path)
    x = torch.rand(4, 1, 8, 8)
    whole = training.model_of_run(str(source.path)).eval()
    model = PretrainedModel(str(source.path), in_channels=1, image_size=8).eval()
    torch.testing.assert_close(model(x).softmax(1), whole(x))


def test_it_is_fine_tuned_with_a_blended_swap(source: RunFolder, tmp_path: Path) -> None:
    Path("mine.yaml").write_text(f"""
base: base/pretrained_model
model: {{backbone: {source.path}, in_channels: 1, image_size: 8}}
data: {{_target_: lightning_acts.zoo.Digits}}
swap: [{{map: {{prelu: silu}}, at: {{step: 5}}, blend: {{steps: 30}}}}]
trainer: {{max_epochs: 1}}
""")
    run = trained("mine.yaml", [], tmp_path)
    model = training.model_of_run(str(run.path))
    assert [site.activation for site in acts.find(model) if site.role == "hidden"] == ["silu"] * 3
    first, tuned = (json.loads((folder.path / "summary.json").read_text())["metrics"] for folder in (source, run))
    assert tuned["test/loss"] < first["test/loss"]  # the accuracy of both is 97 %


SCRIPT = """
model:
  _target_: lightning_acts.zoo.PretrainedModel
  backbone: torchvision:mobilenet_v3_small
  pretrained: true
  in_channels: 1
  image_size: 32
  frozen_epochs: 1
data: {_target_: lightning_acts.zoo.Digits, image_size: 32}
swap: [{map: {hardswish: silu}, at: {step: 2}, blend: {steps: 4}}]
trainer: {max_epochs: 2, accelerator: cpu, devices: 1, limit_train_batches: 4, limit_val_batches: 2, limit_test_batches: 4}
"""


@pytest.mark.slow
def test_a_run_goes_on_without_the_pretrained_weights(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(SCRIPT)
    url = torchvision.models.MobileNet_V3_Small_Weights.DEFAULT.url
    file = tmp_path / "cache/hub/checkpoints" / url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    torch.save(torchvision.models.mobilenet_v3_small().state_dict(), file)
    environment = {**os.environ, "TORCH_HOME": str(tmp_path / "cache"), "https_proxy": "http://127.0.0.1:9"}

    def call(*arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lightning_acts", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    call("train", "mine.yaml")
    shutil.rmtree(tmp_path / "cache")
    (run,) = (tmp_path / "runs/mine").iterdir()
    tested = json.loads((run / "summary.json").read_text())["metrics"]
    again = json.loads(call("eval", str(run), "--json").stdout)
    assert again["test/loss"] == pytest.approx(tested["test/loss"], rel=1e-6)
    call("predict", str(run), "--out", "p.pt")
    assert "largest difference to the model" in call("export", str(run), "--out", "m.onnx").stdout
    call("export", str(run), "--out", "m.safetensors")
    assert "silu" in call("verify", str(run), "--input", "2,1,32,32").stdout
    call("resume", str(run), "trainer.max_epochs=3")
    assert "page: report/index.html" in call("report", str(run)).stderr
    said = call("train", "mine.yaml", expect=2).stderr
    assert f"could not fetch {url}" in said and "mine.yaml:2: model: " in said


@pytest.mark.slow
def test_two_processes_test_as_one_does(tmp_path: Path) -> None:
    body = """
from lightning_acts.zoo import Digits, PretrainedModel

def measure(trainer):
    model = PretrainedModel("timm:test_efficientnet", in_channels=1, image_size=32)
    (tested,) = trainer.test(model, Digits(image_size=32, batch_size=100), verbose=False)
    return tested
"""
    one, two = on_one_and_two_processes(body, tmp_path)
    assert two == pytest.approx(one, abs=1e-6)


def test_it_learns() -> None:
    torch.manual_seed(0)
    images = torch.rand(64, 1, 32, 32)
    labels = torch.arange(64) % 2
    images[labels == 1, :, :16] += 1.0
    loader = DataLoader(TensorDataset(images, labels), batch_size=16)
    model = PretrainedModel(TINY, num_classes=2, in_channels=1, image_size=32, lr=3e-3)
    trainer = quiet(
        max_epochs=10, callbacks=[acts.ActivationSwap({"silu": "hardswish"}, at={"epoch": 2}, blend={"epochs": 3})]
    )
    trainer.fit(model, loader)
    assert trainer.callback_metrics["train/acc"] > 0.95
    assert {site.activation for site in acts.find(model) if site.role == "hidden"} == {"hardswish"}


def test_hyperparameters_are_plain(tmp_path: Path) -> None:
    model = PretrainedModel(TINY, num_classes=5, image_size=32)
    trainer = quiet(max_steps=1)
    trainer.fit(model, batches())
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = PretrainedModel.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    assert same(again, model) and isinstance(again, PretrainedModel) and not isinstance(again, ImageClassifier)
