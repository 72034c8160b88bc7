"""Wrong configs, each with its message, file and line; and right ones in odd styles."""

import os
from pathlib import Path

import pytest
import torch
from lightning.pytorch.utilities import rank_zero_only

from lightning_acts.runs.checking import Checked, check_config
from lightning_acts.runs.config import collect, load
from lightning_acts.runs.reading import ConfigError

# Line 1 is the first line of the text; most are laid over the config 'digits'.
WRONG: list[tuple[str, str, str]] = [
    # what it is called, the text, what the error says
    ("typo in a group", "trainr:\n  max_epochs: 1", "a.yaml:1: unknown key trainr; did you mean 'trainer'"),
    ("typo in trainer", "trainer:\n  max_epoch: 1", "a.yaml:2: unknown key trainer.max_epoch; did you mean 'trainer.max_epochs'"),
    ("typo deeper", "\n\ntrainer:\n  accelerator: cpu\n  gradient_clip_value: 1", "a.yaml:5: unknown key trainer.gradient_clip_value; did you mean 'trainer.gradient_clip_val'"),
    ("typo in model", "model:\n  num_class: 10", "a.yaml:2: unknown key model.num_class; did you mean 'model.num_classes'"),
    ("typo in data", "data:\n  bach_size: 10", "a.yaml:2: unknown key data.bach_size; did you mean 'data.batch_size'"),
    ("typo in a callback", "callbacks:\n  best:\n    monitr: val/acc", "a.yaml:3: unknown key callbacks.best.monitr; did you mean 'callbacks.best.monitor'"),
    ("typo in swap", "swap:\n  - map: {relu: mish}\n    exlude: x", "a.yaml:3: unknown key swap.0.exlude; did you mean 'swap.0.exclude'"),
    ("typo in an activation", "swap:\n  - map:\n      relu: mishh", "no activation 'mishh'; did you mean 'mish'"),
    ("typo in an activation, left", "swap:\n  - map: {rleu: mish}", "no activation 'rleu'; did you mean 'relu'"),
    ("typo in a parameter", "swap:\n  - map: {relu: elu(alfa=1)}", "no parameter 'alfa'; did you mean 'alpha'"),
    ("bad parameter", "swap:\n  - map: {relu: softplus(beta=0)}", "a.yaml:2: swap.0: softplus(beta=0): beta must not be 0"),
    ("code in a spec", "swap:\n  - map: {relu: \"elu(alpha=__import__('os').getcwd())\"}", "never evaluated"),
    ("shape-changing", "swap: [{map: {relu: glu}}]", "glu changes the shape"),
    ("bad role", "swap: [{map: {relu: mish}, role: hiden}]", "swap.0.role: must be one of 'hidden', 'gate', 'attention', 'output' or a list of one of 'hidden', 'gate', 'attention', 'output', not 'hiden'; did you mean 'hidden'"),
    ("too many bits", "swap:\n  - map: {relu: mish}\n    backend: lean(bits=5)", "a.yaml:3: swap.0: backend='lean(bits=5)': one of torch, eager, lean, compiled, auto, or lean(bits=N) with N from 1 to 4; did you mean 'lean(bits=4)'"),
    ("few bits of one that learns", "swap:\n  - map: {relu: prelu}\n    backend: lean(bits=2)", "swap.0: backend='lean(bits=2)': prelu: the gradient of its parameters needs its input"),
    ("swap without map", "swap: [{exclude: x}]", "a.yaml:1: swap.0: ActivationSwap needs map"),
    ("typo in at", "swap:\n  - map: {relu: mish}\n    at:\n      epoc: 3", "a.yaml:4: swap.0: at={'epoc': 3}: there is no key 'epoc'; did you mean 'epoch'"),
    ("two times in at", "swap:\n  - map: {relu: mish}\n    at: {epoch: 3, step: 2}", "a.yaml:3: swap.0: at={'epoch': 3, 'step': 2}: one of epoch, step, fraction, or metric"),
    ("a time and a metric", "swap:\n  - map: {relu: mish}\n    at: {epoch: 3, metric: val/acc, above: 0.9}", "a.yaml:3: swap.0: at={'epoch': 3, 'metric': 'val/acc', 'above': 0.9}: a metric, or one of epoch, step, fraction, not both"),
    ("half an epoch", "swap:\n  - map: {relu: mish}\n    at: {epoch: 1.5}", "a.yaml:3: swap.0: at: epoch: 1.5 is not a whole number"),
    ("more than all of the fit", "swap:\n  - map: {relu: mish}\n    at: {fraction: 30}", "a.yaml:3: swap.0: at: fraction: 30 is more than 1"),
    ("at is another text", "swap:\n  - map: {relu: mish}\n    at: strat", "a.yaml:3: swap.0: at='strat': 'start', or a mapping such as {'epoch': 5}"),
    ("at is a number", "swap:\n  - map: {relu: mish}\n    at: 5", "a.yaml:3: swap.0.at: must be text or a mapping or null, not 5"),
    ("typo in a condition", "swap:\n  - map: {relu: mish}\n    at:\n      metric: val/acc\n      abov: 0.9", "a.yaml:5: swap.0: at={'metric': 'val/acc', 'abov': 0.9}: there is no key 'abov'; did you mean 'above'"),
    ("a condition of nothing", "swap:\n  - map: {relu: mish}\n    at: {metric: val/acc}", "a.yaml:3: swap.0: at={'metric': 'val/acc'}: a metric needs one of above, below or patience"),
    ("typo in a mode", "swap:\n  - map: {relu: mish}\n    at:\n      metric: val/acc\n      patience: 2\n      mode: mxa", "a.yaml:6: swap.0: at: mode: 'mxa' is neither 'min' nor 'max'"),
    ("typo in blend", "swap:\n  - map: {relu: mish}\n    blend:\n      epoch: 3", "a.yaml:4: swap.0: blend={'epoch': 3}: there is no key 'epoch'; did you mean 'epochs'"),
    ("typo in a shape", "swap:\n  - map: {relu: mish}\n    blend:\n      epochs: 3\n      shape: cosin", "a.yaml:5: swap.0: blend: shape: 'cosin' is none of linear, cosine, exponential, abrupt, and no function from 0..1 to 0..1; did you mean 'cosine'"),
    ("no length", "swap:\n  - map: {relu: mish}\n    blend: {epochs: 0}", "a.yaml:3: swap.0: blend: epochs: 0 is no length"),
    ("a length in words", "swap:\n  - map: {relu: mish}\n    blend: {epochs: three}", "a.yaml:3: swap.0: blend: epochs: 'three' is not a number"),
    ("blend is a number", "swap: {map: {relu: mish}, at: {epoch: 1}, blend: 3}", "a.yaml:1: swap.blend: must be a mapping or null, not 3"),
    ("an end of nothing", "swap:\n  - map: {relu: mish}\n    blend: {epochs: 3, start: 1}", "a.yaml:3: swap.0: blend={'epochs': 3, 'start': 1}: start and end belong to parameter"),
    ("a shape that runs commands", "swap:\n  - map: {relu: mish}\n    blend: {epochs: 3, shape: {_target_: os.system, command: ls}}", "a.yaml:3: swap.0.blend.shape._target_: os.system is refused"),
    ("typo in order", "swap:\n  - map: {relu: mish}\n    blend: {epochs: 3}\n    order: from_inptu", "a.yaml:4: swap.0.order: must be one of 'together', 'from_input', 'from_output', 'from_input_by_stage', 'from_output_by_stage', not 'from_inptu'; did you mean 'from_input'"),
    ("an order without a time", "swap:\n  - map: {relu: mish}\n    order: from_input", "a.yaml:3: swap.0: order='from_input' puts one site after the other, and blend= says over how long"),
    ("a negative rate", "swap:\n  - map: {relu: mish}\n    at: {epoch: 3}\n    lr_factor: -1", "a.yaml:4: swap.0: lr_factor: -1.0 is less than 0"),
    ("a function of sites that loads files", "swap: {map: {relu: mish}, where: 'torch.hub:load_state_dict_from_url'}", "where='torch.hub:load_state_dict_from_url' is refused"),
    ("swap is text", "swap: mish", "swap is a list of map, at, blend, order, lr_factor, weight_decay, restore, include, exclude, role, share, where, write_back and backend, not 'mish'"),
    ("swap holds text", "swap: [mish]", "swap.0 holds map, at, blend, order, lr_factor, weight_decay, restore, include, exclude, role, share, where, write_back and backend, not 'mish'"),
    ("map is text", "swap: [{map: relu}]", "a.yaml:1: swap.0.map: must be a mapping or SwapRequest, not 'relu'"),
    ("wrong type: text for int", "trainer:\n  max_epochs: ten", "a.yaml:2: trainer.max_epochs: must be a whole number or null, not 'ten'"),
    ("wrong type: fraction for int", "data:\n  batch_size: 1.5", "a.yaml:2: data.batch_size: must be a whole number, not 1.5"),
    ("wrong type: bool for int", "data: {batch_size: true}", "data.batch_size: must be a whole number, not True"),
    ("wrong type: text for float", "model: {lr: fast}", "model.lr: must be a number, not 'fast'"),
    ("wrong type: null for int", "data: {batch_size: null}", "data.batch_size: must be a whole number, not nothing"),
    ("wrong type: list for int", "data: {batch_size: [64]}", "data.batch_size: must be a whole number, not a list"),
    ("wrong type: mapping for text", "model: {backbone: {name: resnet18}}", "model.backbone: must be text, not a mapping"),
    ("on is text in YAML 1.2", "model:\n  small_images: on", "a.yaml:2: model.small_images: must be true or false, not 'on'; YAML 1.2 writes true"),
    ("no is text in YAML 1.2", "trainer: {deterministic: no}", "trainer.deterministic: must be"),
    ("sexagesimal is text", "data: {batch_size: 1:30}", "data.batch_size: must be a whole number, not '1:30'"),
    ("group is text", "trainer: cpu", "a.yaml:1: trainer holds arguments of lightning's Trainer, not 'cpu'"),
    ("group is a list", "model: [resnet18]", "a.yaml:1: model holds a _target_ and its arguments, not a list"),
    ("callbacks is a list", "callbacks: [x]", "a.yaml:1: callbacks holds names with a _target_ each, not a list"),
    ("callback is text", "callbacks: {best: x}", "callbacks.best holds a _target_ and its arguments, not 'x'"),
    ("callback without target", "callbacks: {stop: {monitor: x}}", "callbacks.stop needs _target_, the import path of a class"),
    ("target misspelled", "callbacks: {stop: {_traget_: x}}", "callbacks.stop needs _target_, the import path of a class; is _traget_ meant for it?"),
    ("target without a module", "model: {_target_: ImageClassifier}", "model._target_: 'ImageClassifier' is no import path, such as package.module.Class"),
    ("target with code", "model: {_target_: \"__import__('os').system\"}", "is no import path"),
    ("target of no module", "model: {_target_: lightning_act.zoo.ImageClassifier}", "a.yaml:1: model._target_: there is no module 'lightning_act'; did you mean 'lightning_acts.zoo'"),
    ("target of no class", "model: {_target_: lightning_acts.zoo.ImageClasifier}", "lightning_acts.zoo has no 'ImageClasifier'; did you mean 'ImageClassifier'"),
    ("target of another kind", "model: {_target_: lightning_acts.zoo.Digits}", "model._target_: lightning_acts.zoo.Digits is no LightningModule"),
    ("function as model", "model: {_target_: os.system}", "model._target_: os.system is no LightningModule"),
    ("function as callback", "callbacks: {x: {_target_: os.system, command: ls}}", "callbacks.x._target_: os.system is no Callback"),
    ("no callable", "callbacks: {x: {_target_: math.pi}}", "math.pi is no class or function"),
    ("logger of another kind", "logger: {x: {_target_: lightning.pytorch.callbacks.Timer}}", "is no Logger"),
    ("optimizer of another kind", "optimizer: {_target_: torch.nn.Linear}", "torch.nn.Linear is no Optimizer"),
    ("typo in the optimizer", "optimizer: {_target_: torch.optim.SGD, momentm: 0.9}", "unknown key optimizer.momentm; did you mean 'optimizer.momentum'"),
    ("missing in the scheduler", "scheduler: {_target_: torch.optim.lr_scheduler.StepLR}", "scheduler: StepLR needs step_size"),
    ("backbone misspelled", "model: {backbone: 'torchvision:resnet81'}", "model.backbone: torchvision has no model 'resnet81'; did you mean 'resnet18'"),
    ("weights misspelled", "model:\n  backbone: torchvision:resnet18@imagenet", "a.yaml:2: model.backbone: torchvision:resnet18 has no weights 'imagenet'"),
    ("encoder misspelled", "model: {_target_: lightning_acts.zoo.TextClassifier, encoder: 'transformers:BertConfg'}", "model.encoder: transformers:BertConfg: transformers has no 'BertConfg'; did you mean 'BertConfig'"),
    ("taken by the run: callbacks", "trainer: {callbacks: []}", "trainer.callbacks is not for a config: use the group 'callbacks'"),
    ("taken by the run: logger", "trainer: {logger: true}", "trainer.logger is not for a config: use the group 'logger'"),
    ("taken by the run: folder", "trainer: {default_root_dir: x}", "trainer.default_root_dir is not for a config: use --out"),
    ("negative seed", "seed: -1", "a.yaml:1: seed: -1 does not lie between 0 and"),
    ("seed is text", "seed: one", "seed: must be a whole number, not 'one'"),
    ("compile is text", "compile: yes", "compile is true, false or arguments of torch.compile, not 'yes'"),
    ("typo in compile", "compile: {fulgraph: true}", "unknown key compile.fulgraph; did you mean 'compile.fullgraph'"),
    ("backend misspelled", "compile:\n  backend: inductr", "a.yaml:2: compile.backend: there is no backend 'inductr'; did you mean 'inductor'"),
    ("interpolation of nothing", "trainer:\n  max_epochs: ${epoch}", "a.yaml:2: trainer.max_epochs: Interpolation key 'epoch' not found"),
    ("interpolation, near", "trainer:\n  max_epochs: ${data.batchsize}", "did you mean 'data.batch_size'"),
    ("interpolation of itself", "seed: ${seed}", "seed"),
    ("interpolation half open", "seed: ${data.batch_size", "seed"),
    ("unknown resolver", "seed: ${run:ls}", "seed: ${run:...} is refused"),
    ("a resolver", "seed: '${oc.select:trainer}'", "${oc.select:...} is refused"),
    ("a resolver within", "seed: '${oc.env:X,${oc.create:1}}'", "${oc.create:...} is refused"),
    ("doubled by references", "model:\n  backbone: ${seed}\nseed: " + "1" + "\n" + "\n".join(f"a{i}: '${{a{i - 1}}}${{a{i - 1}}}'" if i else "a0: ''" for i in range(60)), "a59: refers to values that refer to others, too many or too long in all"),
    ("doubled within mappings", "callbacks:\n  b0: {x: 1}\n" + "\n".join(f"  b{i}: {{x: '${{.b{i - 1}}}', y: '${{callbacks[b{i - 1}]}}'}}".replace("${.", "${..") for i in range(1, 60)), "callbacks.b59.x: refers to values that refer to others"),
    ("doubled by a name within a name", "model: {lr: b}\na: ''\nb: ''\n" + "\n".join(f"b{i}: '${{${{model.lr}}{i - 1}}}${{${{model.lr}}{i - 1}}}'" for i in range(1, 40)) + "\nb0: x", "b39: refers to values that refer to others"),
    ("nested 5000 deep", "seed: " + "[" * 5000, "nested deeper than 50 levels"),
    ("nested 100 deep", "seed: " + "[" * 100 + "]" * 100, "nested deeper than 50 levels"),
    ("merges of merges", "\n".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}" if i else "a0: &a0 {x: 1}" for i in range(60)), "a.yaml"),
    ("an argument that runs a command", "data: {batch_size: {_target_: os.system, command: ls}}", "data.batch_size._target_: os.system is refused"),
    ("under another name", "data: {batch_size: {_target_: lightning_acts.runs.folder.contextlib.suppress}}", "data.batch_size"),
    ("a loader of pickles", "trainer: {profiler: {_target_: torch.load, f: x, weights_only: false}}", "torch.load is refused"),
    ("a runner of commands in torch", "trainer: {profiler: {_target_: torch.utils.collect_env.run, command: ls}}", "torch.utils.collect_env.run is refused"),
    ("a file", "trainer: {plugins: [{_target_: builtins.open, file: x, mode: w}]}", "builtins.open is refused"),
    ("a dataset that opens files", "data: {batch_size: {_target_: torch.utils.data.datapipes.iter.FileOpener, datapipe: []}}", "FileOpener is refused"),
    ("a resolver for a target", "data: {batch_size: {_target_: '${oc.env:NO_SUCH,os.system}', command: ls}}", "os.system is refused"),
    ("a class of another type", "data: {batch_size: {_target_: torch.nn.Identity}}", "data.batch_size: must be a whole number, not what torch.nn.Identity makes"),
    ("a backbone of Python's own", "model: {backbone: 'os:abort'}", "os:abort is refused"),
    ("a key twice", "trainer:\n  max_epochs: 1\n  max_epochs: 2", "a.yaml:3: trainer.max_epochs stands twice, first in line 2"),
    ("a tab", "trainer:\n\tmax_epochs: 1", "a.yaml:2: is not YAML"),
    ("a bracket too few", "swap: [{map: {relu: mish}}", "is not YAML"),
    ("bad indentation", "trainer:\n  max_epochs: 1\n devices: 1", "a.yaml:3: is not YAML"),
    ("a list at the root", "- model", "a.yaml:1: a config is a mapping of keys"),
    ("text at the root", "model", "a config is a mapping of keys"),
    ("a tag of Python", "seed: !!python/object/apply:os.system [ls]", "a.yaml:1: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is refused"),
    ("a tag of one's own", "seed: !run ls", "the tag '!run' is refused"),
    ("a tag on a mapping", "model: !!python/object:os.x {a: 1}", "refused"),
    ("an undefined alias", "seed: *nowhere", "is not YAML: found undefined alias"),
    ("an alias of itself", "callbacks: &a {x: *a}", "an alias repeats without end"),
    ("two documents", "seed: 1\n---\nseed: 2", "is not YAML"),
    ("a list as a key", "? [1, 2]\n: x", "a key is text"),
    ("nested target misspelled", "trainer: {strategy: {_target_: lightning.pytorch.strategies.DDPStrateg}}", "trainer.strategy._target_: lightning.pytorch.strategies has no 'DDPStrateg'; did you mean 'DDPStrategy'"),
]  # fmt: skip

WRONG_OVERRIDES: list[tuple[str, str]] = [
    ("trainer.max_epoch=3", "command line: trainer.max_epoch=3: unknown key trainer.max_epoch; did you mean 'trainer.max_epochs'"),
    ("trainer.max_epochs=three", "command line: trainer.max_epochs=three: trainer.max_epochs: must be a whole number"),
    ("swap.3.map.relu=silu", "swap is a list of 1: '3' is none of its indices"),
    ("swap.first.map.relu=silu", "'first' is none of its indices"),
    ("seed.x=1", "seed is 0, and has no keys"),
    ("~trainer.devicess", "there is no trainer.devicess to remove; did you mean 'devices'"),
    ("~seed=1", "an override is 'key=value', '+key=value' or '~key'"),
    ("trainer..x=1", "'trainer..x' is no key path"),
    ("=1", "'' is no key path"),
    ("trainer.devices=[1", "is not YAML"),
    ("sead=1", "unknown key sead; did you mean 'seed'"),
    ("model._target_=lightning_acts.zoo.Digits", "is no LightningModule"),
    ("callbacks.best._target_=lightning.pytorch.callbacks.EarlyStopping", "command line: callbacks.best._target_=lightning.pytorch.callbacks.EarlyStopping: callbacks.best: EarlyStopping needs monitor"),
    ("scheduler={_target_: torch.optim.lr_scheduler.StepLR}", "StepLR needs step_size"),
    ("~swap.0.map", "command line: ~swap.0.map: swap.0: ActivationSwap needs map"),
    ("~model", "command line: ~model: model is missing"),
    ("seed=" + "9" * 100_000, "command line: seed=99999"),
    ("trainer.max_epochs=" + "x y" * 50_000, "trainer.max_epochs: must be a whole number"),
    ("a" * 100_000 + "=1", "unknown key aaaaa"),
]  # fmt: skip


def check(folder: Path, *texts: str, overrides: tuple[str, ...] = (), base: bool = True) -> Checked:
    names = ["digits"] if base else []
    for letter, text in zip("abc", texts, strict=False):
        (folder / f"{letter}.yaml").write_text(text)
        names.append(f"{letter}.yaml")
    return check_config(*collect(names, overrides))


@pytest.mark.parametrize(("text", "message"), [entry[1:] for entry in WRONG], ids=[entry[0] for entry in WRONG])
def test_wrong_configs_are_refused_where_they_are_wrong(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        check(tmp_path, text)
    assert message in str(caught.value)


@pytest.mark.parametrize(("override", "message"), WRONG_OVERRIDES)
def test_wrong_overrides(override: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        check(tmp_path, overrides=(override,))
    assert message in str(caught.value)
    assert "command line" in str(caught.value)
    assert len(str(caught.value)) < 10_000


def test_every_problem_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        check(
            tmp_path,
            "trainer:\n  max_epoch: 1\nmodel:\n  lr: fast\nswap: [{map: {relu: mishh}}]",
            "sead: 1",
            overrides=("data.x=1",),
        )
    origins = [str(problem.origin) for problem in caught.value.problems]
    assert origins == ["b.yaml:1", "a.yaml:4", "command line: data.x=1", "a.yaml:2", "a.yaml:5"]


def test_what_can_not_be_read_hides_no_other_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        check(
            tmp_path,
            "trainer:\n  max_epoch: 1\n  devices: !run ls\nmodel:\n  lr: fast\nmodel:\n  lr: 1\nsed: 1",
            "data: !!python/object:os.x {a: 1}\nseed: -1",
        )
    assert [str(problem.origin) for problem in caught.value.problems] == [
        "a.yaml:3", "a.yaml:6", "b.yaml:1", "a.yaml:8", "a.yaml:5", "a.yaml:2", "b.yaml:2",
    ]  # fmt: skip


# Each with as many mistakes as it has messages.
SEVERAL: list[tuple[str, tuple[str, ...], list[str]]] = [
    ("trainer:\n  max_epochs: -3\n  max_time: foo\n  limit_val_batches: 1.5\n  gradient_clip_algorithm: foo\n  accumulate_grad_batches: 0", ("trainer.devices=0", "trainer.max_time=bar"), [
        "command line: trainer.devices=0: trainer.devices: `Trainer(devices=0)` value is not a valid input",
        "a.yaml:2: trainer.max_epochs: `max_epochs` must be a non-negative integer or -1",
        "command line: trainer.max_time=bar: trainer.max_time: `Timer(duration='bar')` is not a valid duration",
        "a.yaml:4: trainer.limit_val_batches: You have passed invalid value 1.5",
        "a.yaml:5: trainer.gradient_clip_algorithm: `gradient_clip_algorithm` foo is invalid",
        "a.yaml:6: trainer.accumulate_grad_batches: must be 1 or more, not 0",
    ]),
    ("trainer:\n  num_sanity_val_steps: -3\n  val_check_interval: 1.5\n  check_val_every_n_epoch: 0\n  accelerator: cpuu\n  strategy: dpp\n  num_nodes: 0", (), [
        "a.yaml:6: trainer.strategy: You selected an invalid strategy name",
        "a.yaml:5: trainer.accelerator: You selected an invalid accelerator name",
        "a.yaml:7: trainer.num_nodes: `num_nodes` must be a positive integer",
        "a.yaml:3: trainer.val_check_interval: You have passed invalid value 1.5",
        "a.yaml:4: trainer.check_val_every_n_epoch: must be 1 or more, not 0",
        "a.yaml:2: trainer.num_sanity_val_steps: must be -1 or more, not -3",
    ]),
    ("trainer:\n  max_epoch: 3\n  max_epochs: ten\n  max_steps: -5\n  val_check_interval: 0\n  devices: !run ls\n  callbacks: []", (), [
        "a.yaml:6: the tag '!run' is refused",
        "a.yaml:7: trainer.callbacks is not for a config",
        "a.yaml:2: unknown key trainer.max_epoch",
        "a.yaml:3: trainer.max_epochs: must be a whole number or null",
        "a.yaml:4: trainer.max_steps: `max_steps` must be a non-negative integer",
        "a.yaml:5: trainer.val_check_interval: must be 1 or more, not 0",
    ]),
    ("trainer:\n  strategy: {_target_: lightning.pytorch.strategies.DDPStrategy}\n  max_time: {hour: 3}\n  profiler: foo", (), [
        "a.yaml:3: trainer.max_time: 'hour' is an invalid keyword argument",
        "a.yaml:4: trainer.profiler: When passing string value for the `profiler`",
    ]),
    ("swap:\n- map:\n    rleu: mishh\n    gelu: {name: elu, alfa: 1, betta: 2}\n    silu: elu(alfa=1, betta=2)\n  role: hiden\n  share: cal\n  include: 3\n  exlude: x", (), [
        "a.yaml:7: swap.0.share: must be one of",
        "a.yaml:8: swap.0.include: must be text or a list of text",
        "a.yaml:9: unknown key swap.0.exlude",
        "a.yaml:3: swap.0: there is no activation 'rleu'",
        "a.yaml:3: swap.0: there is no activation 'mishh'",
        "a.yaml:4: swap.0: elu has no parameter 'alfa'",
        "a.yaml:4: swap.0: elu has no parameter 'betta'",
        "a.yaml:5: swap.0: elu has no parameter 'alfa'",
        "a.yaml:5: swap.0: elu has no parameter 'betta'",
        "a.yaml:6: swap.0.role: must be one of 'hidden'",
    ]),
    ("swap:\n- map: {relu: swiglu, softmax: {nme: x}}\n- include: 3\n- mish", (), [
        "a.yaml:2: swap.0: swiglu changes the shape",
        "a.yaml:2: swap.0: {'nme': 'x'}: a mapping names its activation under 'name'",
        "a.yaml:3: swap.1.include: must be text or a list of text",
        "a.yaml:3: swap.1: ActivationSwap needs map",
        "a.yaml:4: swap.2 holds map, at, blend",
    ]),
    ("model:\n  num_classes: ten\n  bakbone: 3\n  backbone: torchvision:resnet81", (), [
        "a.yaml:2: model.num_classes: must be a whole number",
        "a.yaml:3: unknown key model.bakbone",
        "a.yaml:4: model.backbone: torchvision has no model 'resnet81'",
    ]),
    ("model:\n  _target_: lightning_acts.zoo.TabularRegressor\n  in_features: 4\n  activation: [relu,\n    elu(alfa=1),\n    rellu]", (), [
        "a.yaml:5: model.activation.1: elu has no parameter 'alfa'; did you mean 'alpha'",
        "a.yaml:6: model.activation.2: there is no activation 'rellu'; did you mean 'relu'",
    ]),
    ("model:\n  _target_: lightning_acts.zoo.GAN\n  latent_dim: x\n  activation: softplus(beta=0)", ("+model.discriminator_activation=mishh",), [
        "a.yaml:3: model.latent_dim: must be a whole number",
        "a.yaml:4: model.activation: softplus(beta=0): beta must not be 0",
        "command line: +model.discriminator_activation=mishh: model.discriminator_activation: there is no activation 'mishh'",
    ]),
    ("callbacks:\n  best:\n    monitr: x\n    save_top_k: x\n  stop:\n    _target_: lightning.pytorch.callbacks.EarlyStopping\n    patience: x", (), [
        "a.yaml:3: unknown key callbacks.best.monitr",
        "a.yaml:4: callbacks.best.save_top_k: must be a whole number",
        "a.yaml:7: callbacks.stop.patience: must be a whole number",
        "a.yaml:6: callbacks.stop: EarlyStopping needs monitor",
    ]),
    ("seed: -1\ncompile: {fulgraph: true, dynamic: 3}", (), [
        "a.yaml:2: unknown key compile.fulgraph",
        "a.yaml:2: compile.dynamic: must be true or false or null",
        "a.yaml:1: seed: -1 does not lie between",
    ]),
    ("scheduler:\n  _target_: torch.optim.lr_scheduler.StepLR\n  gama: 3\noptimizer:\n  _target_: torch.optim.SGD\n  lr: x\n  momentm: 1", (), [
        "a.yaml:6: optimizer.lr: must be a number or Tensor",
        "a.yaml:7: unknown key optimizer.momentm",
        "a.yaml:3: unknown key scheduler.gama",
        "a.yaml:2: scheduler: StepLR needs step_size",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "overrides", "messages"), SEVERAL)
def test_no_mistake_hides_another_of_its_group(
    text: str, overrides: tuple[str, ...], messages: list[str], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        check(tmp_path, text, overrides=overrides)
    told = list(map(str, caught.value.problems))
    assert len(told) == len(messages), told
    for message in messages:
        assert any(line.startswith(message) for line in told), (message, told)


@pytest.mark.parametrize(
    "trainer",
    [
        "{accelerator: gpu, devices: [0, 1, 2], num_nodes: 4, strategy: fsdp, precision: 16-mixed}",
        "{accelerator: tpu, profiler: xla}",
        "{devices: -1, strategy: deepspeed_stage_2, precision: transformer-engine, sync_batchnorm: true}",
        "{devices: '2', strategy: DDP, precision: 16}",
        "{max_epochs: -1, max_time: {hours: 3}, val_check_interval: 0.0, num_sanity_val_steps: -1}",
        "{max_epochs: null, max_steps: 0, max_time: '00:12:00:00', check_val_every_n_epoch: null, val_check_interval: 50}",
        "{limit_train_batches: 0, limit_val_batches: 1.0, overfit_batches: 2, log_every_n_steps: 0}",
        "{fast_dev_run: true}",
        "{barebones: true}",
    ],
)
def test_a_trainer_of_another_machine_is_valid(trainer: str, tmp_path: Path) -> None:
    check(tmp_path, f"trainer: {trainer}")


def test_a_check_leaves_the_process_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rank_zero_only, "rank", 3)
    for name, value in {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "train", "SLURM_NTASKS_PER_NODE": "4"}.items():
        monkeypatch.setenv(name, value)
    environment = dict(os.environ)
    check_config(load(["digits"], ["trainer.deterministic=true", "trainer.devices=4", "trainer.strategy=ddp"]))
    assert rank_zero_only.rank == 3
    assert not torch.are_deterministic_algorithms_enabled()
    assert dict(os.environ) == environment
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")


def test_what_follows_in_a_list_keeps_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a.yaml:3: swap.0.map: must be a mapping"):
        check(tmp_path, "swap:\n  - map: {relu: mish}\n  - map: relu", overrides=("~swap.0",))


def test_a_module_elsewhere_is_told_with_the_folder_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "c.yaml").write_text("model: {_target_: mynet_elsewhere.Net}")
    (tmp_path / "configs" / "mynet_elsewhere.py").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        check_config(*collect(["digits", "configs/c.yaml"]))
    assert f"there is no module 'mynet_elsewhere'. (looked up in the current folder, {tmp_path}, and" in str(
        caught.value
    )


def test_missing_groups(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)model is missing.*data is missing"):
        check(tmp_path, "seed: 1", base=False)


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for name, message in [
        ("digit", "no config 'digit'; did you mean 'digits'"),
        ("binary.yml", "no file 'binary.yml'; did you mean 'binary.yaml'"),
        ("folder", "is a folder"),
        ("binary.yaml", "not text in UTF-8"),
        ("seed=1", "stands before any config"),
    ]:
        with pytest.raises(ConfigError, match=message):
            load([name])


MINE = """
import lightning as L
class Mine(L.LightningModule):
    def __init__(self, sizes: tuple[int, ...] = (1,), options: dict[str, float] | None = None, mode: "str | None" = None, **more): ...
"""

RIGHT: list[tuple[str, str, tuple[str, ...], dict[str, object]]] = [
    ("nothing", "", (), {"trainer": load(["digits"]).data["trainer"]}),
    ("octal is ten", "data: {batch_size: 010}", (), {"data.batch_size": 10}),
    ("exponent for an int", "data: {batch_size: 1e2}", (), {"data.batch_size": 100}),
    ("exponent without a point for a float", "model: {lr: 1e-3}", (), {"model.lr": 0.001}),
    ("int for a float", "model: {lr: 1}", (), {"model.lr": 1.0}),
    ("on as a text", "model: {backbone: 'torchvision:resnet34'}\ntrainer: {accelerator: cpu}", (), {"model.backbone": "torchvision:resnet34"}),
    ("JSON", '{"data": {"batch_size": 32}, "seed": 5}', (), {"data.batch_size": 32, "seed": 5}),
    ("anchors", "data: {batch_size: &size 17}\ntrainer: {max_epochs: *size}", (), {"trainer.max_epochs": 17, "data.batch_size": 17}),
    ("merge keys", "trainer:\n  <<: {max_epochs: 3, devices: 2}\n  devices: 1", (), {"trainer.max_epochs": 3, "trainer.devices": 1}),
    ("interpolation", "trainer: {max_epochs: '${data.batch_size}'}", (), {"trainer.max_epochs": load(["digits"]).data["data"]["batch_size"]}),
    ("interpolation in text", "model: {backbone: 'torchvision:resnet${seed}'}\nseed: 18", (), {"model.backbone": "torchvision:resnet18"}),
    ("a swap without a list", "swap: {map: {relu: {name: celu, alpha: 0.5}}}", (), {"swap": 1}),
    ("scheduled swaps", "swap:\n- map: {relu: mish}\n  at: {metric: val/acc, above: 0.9}\n  blend: {epochs: 3, shape: cosine}\n  order: from_output_by_stage\n- {map: {silu: elu}, at: {fraction: 0.5}, lr_factor: 0.1}", (), {"swap": 2}),
    ("no swap", "swap: null", (), {"swap": 0}),
    ("several swaps", "swap:\n- map: {relu: mish}\n- map: {mish: silu}\n  exclude: [a, b]", (), {"swap": 2}),
    ("a callback left out", "callbacks: {best: null}", (), {"callbacks": 0}),
    ("an optimizer", "optimizer: {_target_: torch.optim.SGD, lr: 0.1, momentum: 0.9}", (), {"optimizer.momentum": 0.9}),
    ("nested targets in a list", "trainer: {plugins: [{_target_: lightning.pytorch.plugins.TorchCheckpointIO}]}", (), {}),
    ("a nested target", "trainer: {strategy: {_target_: lightning.pytorch.strategies.SingleDeviceStrategy}}", (), {}),
    ("a class of one's own drops other arguments", "model: {_target_: mine.Mine, sizes: [1, 2], options: {a: 1}, any: thing}", (), {"model.sizes": (1, 2), "model.options": {"a": 1.0}, "model.any": "thing"}),
    ("devices as text", "trainer: {devices: auto}", (), {"trainer.devices": "auto"}),
    ("precision", "trainer: {precision: bf16-mixed}", (), {"trainer.precision": "bf16-mixed"}),
    ("override with an equals sign", "", ("model.backbone=torchvision:resnet18", "+trainer.max_steps=5"), {"trainer.max_steps": 5}),
    ("override of a list's entry", "", ("swap.0.map.relu=elu(alpha=0.5)",), {"swap": 1}),
    ("override with a flow mapping", "", ("swap=[{map: {relu: null}}]",), {"swap": 1}),
    ("removal", "", ("~swap", "~trainer.devices"), {"swap": 0}),
    ("override of the target", "", ("model._target_=mine.Mine",), {"model": {}}),
    ("Windows line ends and a mark", "\ufefftrainer:\r\n  max_epochs: 4\r\n", (), {"trainer.max_epochs": 4}),
    ("a number from the environment", "data: {batch_size: '${oc.decode:${oc.env:NO_SUCH_SIZE,16}}'}", (), {"data.batch_size": 16}),
    ("underscored and signed", "trainer: {max_epochs: +4}", (), {"trainer.max_epochs": 4}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "overrides", "expected"), [entry[1:] for entry in RIGHT], ids=[entry[0] for entry in RIGHT]
)
def test_right_configs_in_odd_styles(
    text: str, overrides: tuple[str, ...], expected: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "a.yaml").write_bytes(text.encode())
    checked = check_config(load(["digits", "a.yaml"], overrides))
    for path, value in expected.items():
        group, _, name = path.partition(".")
        found = getattr(checked, group)
        if isinstance(value, int) and not name and group != "seed":
            assert len(found) == value
            continue
        arguments = getattr(found, "arguments", found)
        actual = arguments[name] if name else arguments
        assert actual == value
        assert type(actual) is type(value)


def test_later_files_and_overrides_win(tmp_path: Path) -> None:
    checked = check(
        tmp_path,
        "trainer: {max_epochs: 2, devices: 1}",
        "trainer: {max_epochs: 3}",
        overrides=("trainer.max_epochs=4",),
    )
    assert checked.trainer["max_epochs"] == 4
    assert checked.config.name == "digits"
    assert str(checked.config.origin(("trainer", "devices"))) == "a.yaml:1"
