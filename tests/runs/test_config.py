"""Configs with a base: what is merged in which order, and where each value is said to come from."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import jsonschema
import pytest
import yaml

from lightning_acts.runs.checking import json_schema
from lightning_acts.runs.config import load, named, shipped_folder, split_arguments, to_yaml, with_comments
from lightning_acts.runs.reading import ConfigError


def write(**texts: str) -> None:
    """Write each text to a file in the current folder; ``__`` in a name stands for a folder."""
    for name, text in texts.items():
        path = Path(f"{name.replace('__', '/')}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def origin(*path: str, file: str = "a.yaml") -> str:
    return str(load([file]).origin(path))


def test_a_file_wins_over_its_base() -> None:
    write(a="base: b.yaml\ntrainer: {max_epochs: 1}", b="seed: 3\ntrainer:\n  max_epochs: 9\n  devices: 2")
    loaded = load(["a.yaml"])
    assert loaded.data == {"trainer": {"max_epochs": 1, "devices": 2}, "seed": 3}
    assert loaded.name == "a"
    assert origin("trainer", "max_epochs") == "a.yaml:2"
    assert origin("trainer", "devices") == "b.yaml:4"
    assert list(loaded.data) == ["trainer", "seed"]  # as in every config, whichever file begins with it
    assert load(["a.yaml"], ["trainer.devices=4"]).data["trainer"] == {"max_epochs": 1, "devices": 4}


def test_it_equals_the_same_files_on_the_command_line() -> None:
    over = "seed: 5\nmodel: {_target_: mine.Net, width: 3}\ncallbacks: {best: null}\nswap: []\n"
    write(a="base: digits\n" + over, b=over)
    assert load(["a.yaml"]).data == load(["digits", "b.yaml"]).data
    assert load(["a.yaml"]).data["model"] == {"_target_": "mine.Net", "width": 3}


def test_a_path_starts_from_the_file_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    write(own__deep__a="base: ../b.yaml", own__b="base: c.yml.yaml\nseed: 1", c="seed: 9")
    Path("own/c.yml.yaml").write_text("compile: true")
    assert load(["own/deep/a.yaml"]).data == {"compile": True, "seed": 1}
    absolute = Path("own/deep/a.yaml").absolute()
    monkeypatch.chdir(shipped_folder())
    assert load([str(absolute)]).data == {"compile": True, "seed": 1}


def test_names_are_those_of_config_folders_then_those_that_ship() -> None:
    write(own__digits="base: base/short\nseed: 8", own__base__short="trainer: {max_epochs: 1}", a="base: digits")
    assert load(["a.yaml"], folders=[Path("own")]).data == {"trainer": {"max_epochs": 1}, "seed": 8}
    assert load(["a.yaml"]).data == load(["digits"]).data
    assert set(named([Path("own")])) == {*named(), "digits"}  # a base is no config that could be run


def test_of_several_bases_the_later_wins() -> None:
    write(a="base: [b.yaml, c.yaml]\ncompile: false", b="seed: 1\ncompile: true", c="seed: 2")
    assert load(["a.yaml"]).data == {"compile": False, "seed": 2}
    write(a="base:\n- c.yaml\n- b.yaml")
    assert load(["a.yaml"]).data == {"compile": True, "seed": 1}
    write(a="base: []\nseed: 4")
    assert load(["a.yaml"]).data == {"seed": 4}


def test_what_bases_share_takes_nothing_back() -> None:
    write(a="base: [b.yaml, c.yaml]", b="base: d.yaml\nseed: 1", c="base: d.yaml\ncompile: true", d="seed: 9")
    assert load(["a.yaml"]).data == {"compile": True, "seed": 1}
    assert load(["b.yaml", "c.yaml"]).data == {"compile": True, "seed": 1}
    assert load(["b.yaml", "d.yaml"]).data == {"seed": 9}  # named after it: it wins


def test_references_reach_into_a_base() -> None:
    write(a="base: b.yaml\ndata: {batch_size: 7}", b="trainer: {max_epochs: '${data.batch_size}'}")
    assert load(["a.yaml"]).data["trainer"] == {"max_epochs": 7}


WRONG = [
    ("base: digts", "a.yaml:1: base: there is no config 'digts'; did you mean 'digits'?"),
    ("seed: 1\nbase: base/image_clasifier", "a.yaml:2: base: there is no file 'base/image_clasifier'; did you mean 'base/image_classifier'?"),
    ("base:\n- digits\n- own/brd.yaml", "a.yaml:3: base: there is no file 'own/brd.yaml'; did you mean 'own/bread.yaml'?"),
    ("base: own", "a.yaml:1: base: own is a folder, not a config"),
    ("base: {digits: 1}", "a.yaml:1: base is the name or path of a config, or a list of them, not {'digits': 1}"),
    ("base: [digits, 1]", "a.yaml:1: base is the name or path of a config, or a list of them, not 1"),
    ("base:", "a.yaml:1: base is the name or path of a config, or a list of them, not null"),
    ("base: &x [*x]", "a.yaml:1: base.0: an alias repeats without end"),
    ("base: !!python/name:os.system", "is refused: a config holds plain data only"),
    ("base: " + "x" * 300, "a.yaml:1: base: there is no config 'xxx"),
    ("bsae: digits", "a.yaml:1: unknown key bsae; did you mean 'base'?"),
    ("base: own/bread.yaml", "own/bread.yaml:2: unknown key sed; did you mean 'seed'?"),
    ("base: a.yaml", "a.yaml:1: base: 'a.yaml' closes a circle: a.yaml -> a.yaml"),
    ("base: own/loop.yaml", "own/loop.yaml:3: base: '../a.yaml' closes a circle: a.yaml -> own/loop.yaml -> a.yaml"),
    ("base: own/self.yaml", "own/self.yaml:1: base: './self.yaml' closes a circle: own/self.yaml -> own/self.yaml"),
    ("base: own/text.yaml", "own/text.yaml:1: a config is a mapping of keys"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_wrong_bases_are_told_where_they_are(text: str, message: str) -> None:
    write(
        a=text,
        own__bread="seed: 1\nsed: 2",
        own__loop="seed: 1\nbase:\n- ../a.yaml",
        own__self="base: ./self.yaml",
        own__text="- seed",
    )
    with pytest.raises(ConfigError) as caught:
        load(["a.yaml"])
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_all_wrong_bases_are_told_at_once() -> None:
    write(a="base: [x, b.yaml]", b="base: y\nseed: !z 1", c="base: 1")
    with pytest.raises(ConfigError) as caught:
        load(["a.yaml", "c.yaml"])
    assert [str(problem.origin) for problem in caught.value.problems] == [
        "a.yaml:1",
        "b.yaml:1",
        "c.yaml:1",
        "b.yaml:2",
    ]


@pytest.mark.parametrize("override", ["base=digits", "+base=digits", "~base", "base.0=digits"])
def test_a_base_is_not_an_override(override: str) -> None:
    with pytest.raises(ConfigError, match="base is for files; here, write a base before its config") as caught:
        load(["digits"], [override])
    assert str(caught.value).startswith(f"command line: {override}")


def test_cat_names_the_file_of_each_value() -> None:
    write(a="base: b.yaml\nseed: 1", b="base: digits\ncompile: true")
    lines = dict(line.split("  # ") for line in with_comments(load(["a.yaml"])).splitlines() if "  # " in line)
    found = {key.strip(): place for key, place in lines.items()}
    assert found["seed: 1"] == "a.yaml:2"
    assert found["compile: true"] == "b.yaml:2"
    assert found["max_epochs: 5"].rpartition(":")[0].endswith("digits.yaml")
    assert found["devices: 1"].rpartition(":")[0].endswith("base/image_classifier.yaml")
    assert "base" not in "".join(lines)


def test_every_base_that_ships_is_used_and_says_what_it_is() -> None:
    files = list(shipped_folder().glob("**/*.yaml"))
    bases = {f"base/{path.stem}" for path in files if path.parent.name == "base"}
    assert bases <= {yaml.safe_load(path.read_text()).get("base") for path in files}
    assert all(path.read_text().startswith("# ") for path in files)


def test_the_schema_takes_configs_with_and_without_a_base() -> None:
    schema = json_schema()
    for path in shipped_folder().glob("**/*.yaml"):
        jsonschema.validate(yaml.safe_load(path.read_text()), schema)
    jsonschema.validate({"base": ["digits", "mine.yaml"]}, schema)
    for wrong in ({"base": 1}, {"base": [1]}, {"base": None}, {"bsae": "digits"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_config_of_a_run_has_no_base(project: Path, run: Callable[..., "CompletedProcess[str]"]) -> None:
    (project / "mine.yaml").rename(project / "shared.yaml")
    (project / "short.yaml").write_text("base: shared.yaml\ntrainer: {max_epochs: 1}\n")
    run("train", "short.yaml", "trainer.limit_train_batches=2")
    (saved,) = project.glob("runs/short/*/config.yaml")
    (project / "shared.yaml").unlink()
    (project / "short.yaml").unlink()
    alone = yaml.safe_load(saved.read_text())
    assert "base" not in alone
    assert alone["trainer"] == {"max_epochs": 1, "accelerator": "cpu", "devices": 1, "limit_train_batches": 2}
    assert load([str(saved)]).data == alone
    assert saved.read_text() == to_yaml(load([str(saved)]).data)
    assert "all is well" in run("validate", str(saved.relative_to(project))).stdout
    run("resume", str(saved.parent.relative_to(project)), "trainer.max_epochs=2")


def test_arguments_are_configs_and_overrides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lr=3.yaml").write_text("seed: 1")
    given = ["digits", "lr=3.yaml", "model.lr=0.1", "~swap", "+trainer.devices=2"]
    assert split_arguments(given) == (["digits", "lr=3.yaml"], ["model.lr=0.1", "~swap", "+trainer.devices=2"])
    with pytest.raises(ConfigError, match="a config must come before its overrides"):
        split_arguments(["seed=1"])
