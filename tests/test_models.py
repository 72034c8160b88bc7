import json
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import safetensors.torch
import timm
import torch
import torchvision
from torch import nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    BertTokenizer,
    ViTConfig,
    ViTForImageClassification,
    ViTModel,
)

import lightning_acts as acts
from lightning_acts.models import (
    ModelError,
    build,
    check_model,
    load_tokenizer,
    options_of,
    save,
    weights_from_checkpoint,
)


def test_torchvision() -> None:
    torch.manual_seed(0)
    model = build("torchvision:resnet18", num_classes=7)
    torch.manual_seed(0)
    reference = torchvision.models.resnet18(num_classes=7)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), reference.parameters(), strict=True))


def test_timm() -> None:
    model = build("timm:resnet10t", num_classes=7, in_chans=1).eval()
    assert type(model) is type(timm.create_model("resnet10t"))
    assert model(torch.zeros(1, 1, 32, 32)).shape == (1, 7)


def test_a_model_that_brings_code_of_its_own(tmp_path: Path) -> None:
    config = {"model_type": "of_mine", "auto_map": {"AutoConfig": "mine.MyConfig"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="brings code of its own, which is never run"):
        build(f"hf:{tmp_path}")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "of_mine"}))
    with pytest.raises(ValueError, match="of_mine") as caught:
        build(f"hf:{tmp_path}")
    assert not isinstance(caught.value, ModelError)


def test_an_import_path() -> None:
    assert repr(build("torch.nn:Linear", in_features=2, out_features=3)) == repr(nn.Linear(2, 3))
    assert type(build("torchvision.models:resnet.resnet18")).__name__ == "ResNet"


@pytest.mark.parametrize("given", ["argument", "suffix"])
def test_weights_of_ones_own(tmp_path: Path, given: str) -> None:
    path = tmp_path / "weights.pt"
    reference = torchvision.models.resnet18(num_classes=3)
    torch.save(reference.state_dict(), path)
    if given == "argument":
        model = build("torchvision:resnet18", weights=str(path), num_classes=3)
    else:
        model = build(f"torchvision:resnet18@{path}", num_classes=3)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), reference.parameters(), strict=True))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("resnet18", "'resnet18' names no model: write torchvision:NAME.*as in torchvision:resnet18"),
        ("hf:./no/such/folder", "hf:./no/such/folder: there is no such folder"),
        ("torchvision:", "names no model"),
        ("torchvision:resnet18@", "names no model"),
        ("torchvison:resnet18", "no module 'torchvison'; did you mean 'torchvision'"),
        ("torchvision:resnet81", "torchvision has no model 'resnet81'; did you mean 'resnet18'"),
        ("timm:resnett18", "timm has no model 'resnett18'; did you mean 'resnet18'"),
        ("timm:resnet18.a1_in1", "timm:resnet18 has no weights 'a1_in1'; did you mean 'a1_in1k'"),
        ("torchvision:resnet18@IMAGNET1K_V1", "no weights 'IMAGNET1K_V1'.*did you mean 'IMAGENET1K_V1'.*default"),
        ("timm:resnet18@a1_in1", "no weights 'a1_in1'.*did you mean 'a1_in1k'"),
        ("timm:resnet18.a1_in1k@a2_in1k", "names the weights 'a1_in1k', and 'a2_in1k' are asked for"),
        ("torch.nn:Linearr", "torch.nn has no 'Linearr'; did you mean 'Linear'"),
        ("torch.no_such:x", "no module 'torch.no_such'"),
        ("torch:nn", "no callable that makes a model, but of type module"),
        ("torch:Size", "made no torch.nn.Module, but an object of type Size"),
        ("torch.nn:ReLU@default", "has no weights of its own"),
        ("torchvision:resnet18@/no/such/file.pt", "no weights '/no/such/file.pt', and no file is called so"),
    ],
)
def test_mistakes(model: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        build(model)


def test_weights_given_twice() -> None:
    with pytest.raises(ModelError, match="given both in 'torchvision:resnet18@default' and beside it"):
        build("torchvision:resnet18@default", weights="default")


def test_weights_of_another_model_and_what_is_no_state_dict(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "linear.pt")
    torch.save([1], tmp_path / "list.pt")
    with pytest.raises(RuntimeError, match="Missing key"):
        build("torchvision:resnet18", weights=tmp_path / "linear.pt")
    with pytest.raises(ModelError, match=r"list.pt holds no state dict, but an object of type list"):
        build("torchvision:resnet18", weights=tmp_path / "list.pt")


def test_safetensors(tmp_path: Path) -> None:
    reference = nn.Linear(2, 3)
    safetensors.torch.save_file(reference.state_dict(), tmp_path / "linear.safetensors")
    model = build("torch.nn:Linear", weights=tmp_path / "linear.safetensors", in_features=2, out_features=3)
    assert torch.equal(model.weight, reference.weight)  # type: ignore[arg-type]


def test_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    with pytest.raises(
        OSError, match=r"could not fetch https://.*/(resnet18.*\.pth) .*no route.*put this file at .*/\1"
    ):
        build("torchvision:resnet18@default")
    monkeypatch.setattr("timm.create_model", unreachable)
    with pytest.raises(OSError, match=r"could not fetch https://huggingface.co/timm/resnet18.a1_in1k .*weights=PATH"):
        build("timm:resnet18.a1_in1k@default")


def test_weights_for_another_number_of_classes_lose_the_head_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pretrained = torchvision.models.resnet18()
    fetched = "torchvision.models._api.load_state_dict_from_url"
    monkeypatch.setattr(fetched, lambda *_, **__: pretrained.state_dict())
    model = build("torchvision:resnet18@default", num_classes=5)
    assert model.fc.weight.shape == (5, 512)  # type: ignore[union-attr]
    body = {name: value for name, value in model.state_dict().items() if not name.startswith("fc.")}
    assert all(torch.equal(value, pretrained.state_dict()[name]) for name, value in body.items())
    assert torch.equal(build("torchvision:resnet18@default", num_classes=1000).fc.weight, pretrained.fc.weight)


@pytest.mark.parametrize("model", ["torchvision:resnet18", "torchvision:squeezenet1_0", "timm:resnet10t"])
def test_a_file_for_another_number_of_classes_loses_the_head_alone(model: str, tmp_path: Path) -> None:
    reference = build(model, num_classes=7)
    torch.save(reference.state_dict(), tmp_path / "seven.pt")
    body = dict(list(reference.state_dict().items())[:-2])
    torch.manual_seed(0)
    built = build(model, weights=tmp_path / "seven.pt", num_classes=3)
    assert all(torch.equal(value, body[name]) for name, value in built.state_dict().items() if name in body)
    torch.manual_seed(0)
    fresh = list(build(model, num_classes=3).state_dict().values())[-2:]
    assert all(map(torch.equal, list(built.state_dict().values())[-2:], fresh))
    assert fresh[0].shape[0] == 3
    with pytest.raises(RuntimeError, match="size mismatch"):
        build(model, weights=tmp_path / "seven.pt")


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched."""

    def fetch(*_: Any, **__: Any) -> None:
        raise AssertionError("weights are fetched")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fetch)
    monkeypatch.setattr("timm.models._builder.load_pretrained", fetch)
    monkeypatch.setattr("transformers.PreTrainedModel.from_pretrained", fetch)


def shape(model: nn.Module) -> dict[str, Any]:
    """What two models of the same structure have in common."""
    plain = {key: value for key, value in vars(model).items() if isinstance(value, (int, str, tuple))}
    lines = [line for line in repr(model).splitlines() if not line.endswith(": None")]
    return {"lines": lines, **plain, **{name: value.shape for name, value in model.state_dict().items()}}


def made_as_with_weights(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = "torchvision.models._api.load_state_dict_from_url"
    for weights in torchvision.models.get_model_weights(name):
        # A RegNet computes its widths by tensors.
        with torch.device("cpu" if "regnet" in name else "meta"):
            with weights_from_checkpoint():
                made = build(f"torchvision:{name}@{weights.name}")
            with monkeypatch.context() as patch:
                patch.setattr(fetched, lambda *_, **__: {})
                patch.setattr(nn.Module, "load_state_dict", lambda *_, **__: None)
                reference = torchvision.models.get_model(name, weights=weights)
        assert shape(made) == shape(reference)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3", "vit_b_16", "resnet18"])
def test_what_a_checkpoint_fills_is_made_as_with_weights(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made_as_with_weights(name, monkeypatch)


@pytest.mark.slow
def test_every_model_that_a_checkpoint_fills_is_made_as_with_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in torchvision.models.list_models(module=torchvision.models):
        if not name.startswith("regnet") or name.endswith("400mf"):  # the others have gigabytes
            made_as_with_weights(name, monkeypatch)


@pytest.mark.usefixtures("unreachable")
def test_what_a_checkpoint_fills_fetches_nothing(tmp_path: Path) -> None:
    BertForMaskedLM(BertConfig(vocab_size=5, hidden_size=8, num_attention_heads=1)).save_pretrained(tmp_path)
    with weights_from_checkpoint():
        assert build("torchvision:resnet18@default", num_classes=3).fc.weight.shape == (3, 512)  # type: ignore[union-attr]
        assert build("timm:resnet10t@default", num_classes=3).fc.weight.shape == (3, 512)  # type: ignore[union-attr]
        assert isinstance(build(f"hf:{tmp_path}@default"), BertForMaskedLM)
        assert isinstance(build("torch.nn:Linear@gone.pt", in_features=1, out_features=1), nn.Linear)
        with pytest.raises(ModelError, match="has no model 'resnet81'"):
            build("torchvision:resnet81@default")
    with pytest.raises(AssertionError, match="weights are fetched"):
        build("torchvision:resnet18@default")


def test_options() -> None:
    assert options_of("torch.nn:Flatten") == {"start_dim", "end_dim"}
    assert options_of("torchvision:resnet18") is None


class TestTransformers:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        config = BertConfig(
            vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
        )
        torch.manual_seed(1)
        BertForMaskedLM(config).save_pretrained(tmp_path / "bert")
        return tmp_path / "bert"

    def test_the_architecture_of_the_config_without_weights(self, folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        model = build(f"hf:{folder}", num_hidden_layers=1)
        assert type(model) is BertForMaskedLM and len(model.bert.encoder.layer) == 1
        assert options_of(f"hf:{folder}") is None
        BertConfig(num_hidden_layers=1).save_pretrained(folder)  # no architecture in it
        assert type(build(f"hf:{folder}", hidden_size=12)) is BertModel

    def test_a_config_stands_for_its_model(self) -> None:
        sizes = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 8}
        model = build("transformers:BertConfig", **sizes)
        assert type(model) is BertModel and len(model.encoder.layer) == 3

    def test_a_config_of_a_class_of_its_own(self) -> None:
        sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
        model = build("transformers:ViTConfig", num_labels=3, auto_class="AutoModelForImageClassification", **sizes)
        assert type(model) is ViTForImageClassification and model.classifier.out_features == 3

    def test_weights(self, folder: Path) -> None:
        saved = BertForMaskedLM.from_pretrained(folder)
        for model in (build(f"hf:{folder}@default"), build(f"hf:{folder}", weights="default")):
            assert all(module.training for module in model.modules())
            assert all(torch.equal(a, b) for a, b in zip(model.parameters(), saved.parameters(), strict=True))
        check_model(f"hf:{folder}@default")
        with pytest.raises(ModelError, match="no weights 'defalt'.*did you mean 'default'"):
            build(f"hf:{folder}@defalt")

    @pytest.mark.parametrize("saved", [ViTForImageClassification, ViTModel])
    def test_a_class_of_its_own_gets_a_new_head(self, saved: Any, tmp_path: Path) -> None:
        config = ViTConfig(
            hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, image_size=8, patch_size=4
        )
        saved(config).save_pretrained(tmp_path)
        options: Any = {"num_labels": 3, "auto_class": "AutoModelForImageClassification"}
        model = build(f"hf:{tmp_path}@default", **options)
        assert type(model) is ViTForImageClassification and model.classifier.out_features == 3
        reference = saved.from_pretrained(tmp_path).state_dict()
        body = {name: value for name, value in model.state_dict().items() if not name.startswith("classifier")}
        for name, value in body.items():
            assert torch.equal(value, reference[name if saved is not ViTModel else name.removeprefix("vit.")])
        with weights_from_checkpoint():
            again = build(f"hf:{tmp_path}@default", **options)
        assert repr(again) == repr(model) and again.config.to_dict() == model.config.to_dict()
        with pytest.raises(ModelError, match="other sizes than its config says: vit.embeddings.cls_token"):
            build(f"hf:{tmp_path}@default", hidden_size=16, **options)
        with pytest.raises(ModelError, match="no model of AutoModelForCausalLM for a ViTConfig"):
            build(f"hf:{tmp_path}", auto_class="AutoModelForCausalLM")

    def test_swaps_come_back(self, folder: Path) -> None:
        model = BertForMaskedLM.from_pretrained(folder)
        acts.swap(model, {"*.intermediate_act_fn": "mish"})
        acts.save_swaps(model, folder)
        for weights in (None, "default"):
            specs = [str(acts.spec_of(m)) for m in build(f"hf:{folder}", weights=weights).modules()]
            assert specs.count("mish") == 2

    def test_without_a_network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unreachable(*_: Any, **__: Any) -> None:
            raise OSError("no route to host\nand much more")

        monkeypatch.setattr("transformers.AutoConfig.from_pretrained", unreachable)
        with pytest.raises(
            OSError, match=r"could not fetch https://huggingface.co/some/bert \(no route to host\).*hf:FOLDER"
        ):
            build("hf:some/bert")


class TestTokenizer:
    def test_that_of_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nreturn\nnone\n")
        BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path / "saved")
        assert load_tokenizer(f"hf:{tmp_path / 'saved'}")("Return")["input_ids"] == [2, 5, 3]

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("bert", "'bert' names no tokenizer: write hf:NAME_OR_FOLDER"),
            ("timm:vit", "'timm:vit' names no tokenizer"),
            ("hf:", "'hf:' names no tokenizer"),
            ("hf:./no/such", "hf:./no/such: there is no such folder"),
        ],
    )
    def test_mistakes(self, name: str, message: str) -> None:
        with pytest.raises(ModelError, match=message):
            load_tokenizer(name)


def test_the_swaps_beside_a_state_dict_come_back(tmp_path: Path) -> None:
    model = torchvision.models.resnet18(num_classes=3)
    acts.swap(model, {"relu": "prelu"})
    torch.save(model.state_dict(), tmp_path / "model.pt")
    acts.save_swaps(model, tmp_path / "model.swap.json")
    again = build(f"torchvision:resnet18@{tmp_path / 'model.pt'}", num_classes=3).eval()
    x = torch.randn(1, 3, 32, 32)
    assert torch.equal(again(x), model.eval()(x))
    with pytest.raises(acts.SwapError, match="another model"):
        build("torchvision:alexnet", weights=tmp_path / "model.pt")


class TestSave:
    def model(self) -> nn.Sequential:
        model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
        acts.swap(model, {"relu": "prelu(init=0.1)"})
        return model

    @pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.safetensors"])
    def test_what_build_brings_back(self, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "nets_of_a_test.py").write_text(
            "from torch import nn\ndef make(): return nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        model = self.model()
        written = save(model, tmp_path / name)
        assert written == {"weights": tmp_path / name, "swaps": tmp_path / "model.swap.json"}
        again = build("nets_of_a_test:make", weights=tmp_path / name)
        x = torch.randn(3, 2)
        assert torch.equal(again(x), model(x))

    def test_nothing_is_overwritten(self, tmp_path: Path) -> None:
        for existing in ("model.pt", "model.swap.json"):
            (tmp_path / existing).write_text("mine")
            with pytest.raises(ModelError, match=f"{existing} exists, and is not overwritten"):
                save(self.model(), tmp_path / "model.pt")
            assert (tmp_path / existing).read_text() == "mine"
            save(self.model(), tmp_path / "model.pt", overwrite=True)
            for path in tmp_path.iterdir():
                path.unlink()

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("model.bin", "model.bin: weights are written to a .pt, .pth or .safetensors file, or to a folder"),
            ("nowhere/model.pt", "there is no folder .*nowhere"),
            ("folder", "only models of transformers are written to a folder"),
        ],
    )
    def test_mistakes(self, name: str, message: str, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=message):
            save(self.model(), tmp_path / name)
        assert not list(tmp_path.iterdir())

    def test_parameters_without_a_size(self, tmp_path: Path) -> None:
        model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        acts.swap(model, {"relu": "prelu(per=channel)"})
        with pytest.raises(ModelError, match="m.pt: 1.weight: without a size yet"):
            save(model, tmp_path / "m.pt")
        assert not list(tmp_path.iterdir())
        model(torch.randn(3, 2))
        save(model, tmp_path / "m.pt")

    def test_what_can_not_be_named(self, tmp_path: Path) -> None:
        model = self.model()
        acts.swap(model, {"prelu": torch.sinc})
        with pytest.raises(acts.SwapError, match="no file can name"):
            save(model, tmp_path / "model.pt")
        assert not list(tmp_path.iterdir())
