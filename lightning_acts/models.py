"""Models named by a string: ``torchvision:resnet18``, ``timm:vit_tiny_patch16_224``, ``hf:bert-base-uncased``,
``my_package.nets:make_net``.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from lightning_acts.errors import ActsError
from lightning_acts.extras import ImportPathError, import_name, require
from lightning_acts.files import damaged_record, replacing
from lightning_acts.hints import did_you_mean, listed
from lightning_acts.surgery.history import plans_of
from lightning_acts.surgery.saving import FILE_NAME, SUFFIX, load_swaps, save_swaps

# Whether a checkpoint brings the weights.
_FROM_CHECKPOINT = ContextVar("_FROM_CHECKPOINT", default=False)
_FORMS = "torchvision:NAME, timm:NAME, hf:NAME_OR_FOLDER or package.module:callable"


class ModelError(ActsError, ValueError):
    """A model, or its weights, was named in a way that can't be understood."""

    exit_status = 2


def build(
    model: str, *, weights: str | os.PathLike[str] | None = None, auto_class: str | None = None, **options: Any
) -> nn.Module:
    """Make the model that a string names; with pretrained weights only when they are asked for.

    A model whose activations were swapped gets its swaps back: those in ``swap.json`` in a folder of transformers, or
    beside a file of weights (``model.swap.json`` for ``model.pt``), see :func:`lightning_acts.save_swaps`.

    Args:
        model: ``torchvision:NAME``, ``timm:NAME``, ``hf:NAME_OR_FOLDER`` (the architecture that its config names) or
            ``package.module:callable``; ``@WEIGHTS`` may follow. A callable that makes a config of transformers, such as
            ``transformers:BertConfig``, stands for the config's model.
        weights: ``"default"``; the name of weights of torchvision or the tag of weights of timm; or the path of a file
            with a state dict (``.safetensors``, else read by ``torch.load(weights_only=True)``), which must fit to the
            last key. If weights are for another ``num_classes`` (transformers: ``num_labels``) than is given, the head
            alone is new.
        auto_class: For transformers: the class that picks the architecture for a config, such as
            ``AutoModelForImageClassification``; by default the config says.
        options: Passed to the callable; for transformers, to the config.

    Raises:
        ModelError: There is no such model, or there are no such weights.
        SwapError: The swaps beside the weights are those of another model.
        ImportError: The package is not installed.
        OSError: Weights could not be fetched; the message says which, and where a file may be put.
        RuntimeError: The state dict in the file is not this model's.

    Example:
        >>> build("torch.nn:Linear", in_features=2, out_features=1)
        Linear(in_features=2, out_features=1, bias=True)
    """
    source, name, suffix = _split(model)
    if suffix is not None and weights is not None:
        raise ModelError(f"weights are given both in {model!r} and beside it, as {os.fspath(weights)!r}")
    wanted = suffix if weights is None else os.fspath(weights)
    make = _factory(source, name)
    if source == "hf":
        make = functools.partial(make, auto_class=auto_class)
    if wanted is None:
        return _with_swaps(
            _made(make(**options), model, auto_class), Path(name) / FILE_NAME if source == "hf" else None
        )
    from_checkpoint = _FROM_CHECKPOINT.get()
    if source in _PRETRAINED and (pretrained := _PRETRAINED[source](name, wanted, options, auto_class)) is not None:
        return pretrained
    path = Path(wanted).expanduser()
    if not (from_checkpoint or path.is_file()):
        _check_weights(source, name, wanted)
    built = _with_swaps(_made(make(**options), model, auto_class), path.with_suffix(SUFFIX))
    if not from_checkpoint:
        _load_fitting(built, read_state_dict(path), options.get("num_classes"))
    return built


@contextlib.contextmanager
def weights_from_checkpoint() -> Iterator[None]:
    """Let :func:`build` make models as with the weights that it is asked for, but neither fetch nor read these.

    Around what makes a model whose weights a checkpoint brings: they need not be there any more.

    Example:
        >>> with weights_from_checkpoint():
        ...     model = build("torchvision:resnet18@default", num_classes=3)
        >>> model.fc.out_features
        3
    """
    token = _FROM_CHECKPOINT.set(True)
    try:
        yield
    finally:
        _FROM_CHECKPOINT.reset(token)


def save(model: nn.Module, path: Path, *, overwrite: bool = False) -> dict[str, Path]:
    """Write the weights of a model, and its swaps beside them: :func:`build` brings both back with ``weights=path``.

    Args:
        model: The model.
        path: A file, ``.pt``, ``.pth`` or ``.safetensors``; or a folder, for models that have ``save_pretrained``.
        overwrite: Whether files that exist are replaced.

    Returns:
        What was written where.

    Raises:
        ModelError: A file exists, or the suffix is none of these, or the model can't be written to a folder, or has
            parameters without a size.
        SwapError: A swap can't be named in a file.
    """
    check_target(path, overwrite)
    plans_of(model)  # what can't be named is refused before anything is written
    if unsized := [name for name, value in model.state_dict(keep_vars=True).items() if is_lazy(value)]:
        raise ModelError(
            f"{path}: {listed(unsized, 3)}: without a size yet, which a run gives: swap "
            "with an example_input (on the command line --input 2,3,64,64)"
        )
    if not path.suffix:
        save_pretrained: Any = getattr(model, "save_pretrained", None)
        if save_pretrained is None:
            raise ModelError(f"{path}: only models of transformers are written to a folder; others to a .pt file")
        save_pretrained(path)
        return {"weights": path, "swaps": save_swaps(model, path)}
    with replacing(path) as unfinished:
        if path.suffix == ".safetensors":
            # The format knows no tied weights: each name gets its own copy.
            state = {name: value.contiguous().clone() for name, value in model.state_dict().items()}
            require("safetensors.torch", extra="vision").save_file(state, unfinished)
        else:
            torch.save(model.state_dict(), unfinished)
        swaps = save_swaps(model, path.with_suffix(SUFFIX))
    return {"weights": path, "swaps": swaps}


def check_target(path: Path, overwrite: bool = False) -> None:
    """Check that :func:`save` may write there.

    Raises:
        ModelError: It may not.
    """
    if path.suffix not in ("", ".pt", ".pth", ".safetensors"):
        raise ModelError(f"{path}: weights are written to a .pt, .pth or .safetensors file, or to a folder")
    if not path.parent.is_dir():
        raise ModelError(f"{path}: there is no folder {path.parent}")
    targets = [path, path.with_suffix(SUFFIX)] if path.suffix else [path]
    for target in targets:
        if target.exists() and not overwrite and not (target.is_dir() and not any(target.iterdir())):
            raise ModelError(f"{target} exists, and is not overwritten without being told to")


def check_model(model: str) -> None:
    """Check that a model, and weights that its string names, exist; nothing is built.

    Raises:
        ModelError: They don't.
        ImportError: The package is not installed.
    """
    source, name, weights = _split(model)
    _factory(source, name)
    if weights is not None and not Path(weights).expanduser().is_file():
        _check_weights(source, name, weights)


def load_tokenizer(tokenizer: str) -> Any:
    """Return the tokenizer of transformers that a string names.

    Args:
        tokenizer: ``hf:NAME_OR_FOLDER``.

    Raises:
        ModelError: The string is another one, there is no such folder, or the tokenizer brings code of its own.
        ImportError: transformers is not installed.
        OSError: It could not be fetched.
    """
    name = check_tokenizer(tokenizer)
    return _fetched(name, require("transformers", extra="hf").AutoTokenizer.from_pretrained)


def check_tokenizer(tokenizer: str) -> str:
    """Check that a string names a tokenizer, and return its name or folder; nothing is fetched.

    Raises:
        ModelError: It names none, or there is no such folder.
        ImportError: transformers is not installed.
    """
    source, _, name = tokenizer.partition(":")
    if source != "hf" or not name:
        raise ModelError(f"{tokenizer!r} names no tokenizer: write hf:NAME_OR_FOLDER")
    name = os.path.expanduser(name)
    _factory(source, name)
    return name


def model_names() -> list[str]:
    """Return the names of all models of the libraries that are installed, as :func:`build` takes them.

    Raises:
        ImportError: Neither torchvision nor timm is installed.
    """
    torchvision = [f"torchvision:{name}" for name in require("torchvision.models", extra="vision").list_models()]
    return [*torchvision, *(f"timm:{name}" for name in require("timm", extra="vision").list_models())]


def options_of(model: str) -> set[str] | None:
    """Return the options that :func:`build` takes for this model by name; None where any may be given.

    Raises:
        ModelError: There is no such model.
        ImportError: The package is not installed.

    Example:
        >>> sorted(options_of("torch.nn:Flatten"))
        ['end_dim', 'start_dim']
    """
    source, name, _ = _split(model)
    parameters = inspect.signature(_factory(source, name)).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return {parameter.name for parameter in parameters}


def _with_swaps(model: nn.Module, file: Path | None) -> nn.Module:
    if file is not None and file.exists():
        load_swaps(model, file)
    return model


def _check_weights(source: str, name: str, wanted: str) -> None:
    own = _KNOWN_WEIGHTS[source](name) if source in _KNOWN_WEIGHTS else []
    known = list(dict.fromkeys(["default", *own])) if own else []
    if (wanted.lower() if wanted.lower() == "default" else wanted) not in known:
        listed = f"its weights: {', '.join(known)}" if known else "it has no weights of its own"
        raise ModelError(
            f"{source}:{name} has no weights {wanted!r}, and no file is called so{did_you_mean(wanted, known)} "
            f"({listed}; or the path of a file with a state dict)"
        )


def _split(model: str) -> tuple[str, str, str | None]:
    body, at, weights = model.partition("@")
    source, colon, name = body.partition(":")
    if not (source and colon and name) or (at and not weights):
        example = f", as in torchvision:{body}" if body.isidentifier() else ""
        raise ModelError(f"{model!r} names no model: write {_FORMS}, and @WEIGHTS after it if you like{example}")
    return source, os.path.expanduser(name), weights if at else None


def _factory(source: str, name: str) -> Callable[..., Any]:
    if source == "torchvision":
        models = require("torchvision.models", extra="vision")
        _check_name(source, name, models.list_models())
        return _callable(models.get_model_builder(name), f"{source}:{name}")
    if source == "timm":
        timm = require("timm", extra="vision")
        architecture, _, tag = name.partition(".")
        _check_name(source, architecture, timm.list_models())
        if tag and tag not in _timm_tags(architecture):
            tags = _timm_tags(architecture)
            raise ModelError(f"timm:{architecture} has no weights {tag!r}{did_you_mean(tag, tags)}")
        return functools.partial(timm.create_model, name)
    if source == "hf":
        require("transformers", extra="hf")
        if name.startswith((".", "/")) and not Path(name).is_dir():
            raise ModelError(f"hf:{name}: there is no such folder")
        return functools.partial(_from_config, name)
    return imported(source, name)


def _check_name(source: str, name: str, names: list[str]) -> None:
    if name not in names:
        raise ModelError(f"{source} has no model {name!r}{did_you_mean(name, names)}")


def imported(module: str, attribute: str) -> Callable[..., Any]:
    """Return what the import path ``module:attribute`` leads to.

    Raises:
        ModelError: It leads nowhere, or to something that can't be called.
    """
    hint = f"{did_you_mean(module, ['torchvision', 'timm'])} (a model is {_FORMS})"
    try:
        found = import_name(module, attribute, hint)
    except ImportPathError as error:
        raise ModelError(f"{module}:{attribute}: {error}") from None
    for place in (module, str(getattr(found, "__module__", None) or "")):
        if place.partition(".")[0] in sys.stdlib_module_names:
            raise ModelError(f"{module}:{attribute} is refused: Python's own library has no models and no activations")
    return _callable(found, f"{module}:{attribute}")


def _callable(found: Any, name: str) -> Callable[..., Any]:
    if not callable(found):
        raise ModelError(f"{name} is no callable that makes a model, but of type {type(found).__name__}")
    return found  # type: ignore[no-any-return]


def _made(built: Any, model: str, auto_class: str | None) -> nn.Module:
    transformers = sys.modules.get("transformers")
    if transformers is not None and isinstance(built, transformers.PretrainedConfig):
        built = _transformers_class(built, auto_class)(built)
    if not isinstance(built, nn.Module):
        raise ModelError(f"{model} made no torch.nn.Module, but an object of type {type(built).__name__}")
    return built


def _torchvision_weights(name: str) -> dict[str, Any]:
    enum = require("torchvision.models", extra="vision").get_model_weights(name)
    return dict(enum.__members__)


def _timm_tags(name: str) -> list[str]:
    tagged = require("timm", extra="vision").list_pretrained(f"{name}.*")
    return [full.partition(".")[2] for full in tagged]


def _torchvision_pretrained(
    name: str, wanted: str, options: Mapping[str, Any], auto_class: str | None
) -> nn.Module | None:
    members = _torchvision_weights(name)
    weights = members.get("DEFAULT" if wanted.lower() == "default" else wanted)
    if weights is None:
        return None
    models = require("torchvision.models", extra="vision")
    builder = models.get_model_builder(name)
    if _FROM_CHECKPOINT.get() and name in models.list_models(module=models):
        return builder(weights=None, **{**_set_by_weights(name, weights), **options})  # type: ignore[no-any-return]
    num_classes = options.get("num_classes")
    others = {key: value for key, value in options.items() if key != "num_classes"}
    file = Path(torch.hub.get_dir(), "checkpoints", weights.url.rpartition("/")[2])
    try:
        model: nn.Module = builder(weights=weights, **others)
    except OSError as error:
        raise OSError(f"could not fetch {weights.url} ({error}): put this file at {file}") from error
    if num_classes is not None and num_classes != len(weights.meta["categories"]):
        _take_head(model, builder(weights=None, num_classes=num_classes, **others))
    return model


def _load_fitting(model: nn.Module, state: Mapping[str, Any], num_classes: int | None) -> None:
    """Load weights; layers that have ``num_classes`` outputs where the weights are for another number stay new."""
    own = model.state_dict()
    head = {
        name: own[name]
        for name, value in state.items()
        if name in own and own[name].shape == (num_classes, *value.shape[1:])
    }
    others = {name: value for name, value in head.items() if value.shape != state[name].shape}
    model.load_state_dict({**state, **others})


def _set_by_weights(name: str, weights: Any) -> dict[str, Any]:
    """Return what torchvision's builder of a classifier is told by weights, beside the number of classes."""
    if name.startswith("vit_"):
        return {"image_size": weights.meta["min_size"][0]}
    if name not in ("googlenet", "inception_v3"):
        return {}
    return {"transform_input": True, "init_weights": False, **({"aux_logits": False} if name == "googlenet" else {})}


def _take_head(model: nn.Module, fresh: nn.Module) -> None:
    """Replace the layers of ``model`` whose weights differ in shape from those of ``fresh``, by those of ``fresh``."""
    shapes = {name: parameter.shape for name, parameter in fresh.named_parameters()}
    for name, parameter in list(model.named_parameters()):
        if shapes[name] != parameter.shape:
            layer = name.rpartition(".")[0]
            model.set_submodule(layer, fresh.get_submodule(layer))


def _timm_pretrained(name: str, wanted: str, options: Mapping[str, Any], auto_class: str | None) -> nn.Module | None:
    timm = require("timm", extra="vision")
    architecture, _, given = name.partition(".")
    tags = _timm_tags(architecture)
    if wanted not in tags and not (wanted.lower() == "default" and tags):
        return None
    tag = given if wanted.lower() == "default" else wanted
    if given and given != tag:
        raise ModelError(f"timm:{name} names the weights {given!r}, and {tag!r} are asked for beside it")
    full = f"{architecture}.{tag}" if tag else name
    try:
        model: nn.Module = timm.create_model(full, pretrained=not _FROM_CHECKPOINT.get(), **options)
    except OSError as error:
        hub = timm.get_pretrained_cfg(full).hf_hub_id
        where = f"https://huggingface.co/{hub}" if hub else f"the weights of {full}"
        raise OSError(
            f"could not fetch {where} ({error}): put its model.safetensors anywhere, and give weights=PATH"
        ) from error
    return model


def _from_config(name: str, *, auto_class: str | None = None, **options: Any) -> nn.Module:
    config = _fetched(name, require("transformers", extra="hf").AutoConfig.from_pretrained, **options)
    model: nn.Module = _transformers_class(config, auto_class)(config)
    return model


def _transformers_pretrained(
    name: str, wanted: str, options: Mapping[str, Any], auto_class: str | None
) -> nn.Module | None:
    if wanted.lower() != "default":
        return None
    if _FROM_CHECKPOINT.get():
        return _with_swaps(_from_config(name, auto_class=auto_class, **options), Path(name) / FILE_NAME)
    config = _fetched(name, require("transformers", extra="hf").AutoConfig.from_pretrained, **options)
    load = _transformers_class(config, auto_class).from_pretrained
    if "num_labels" not in options:
        model: nn.Module = _fetched(name, load, config=config)
    else:
        model, said = _fetched(name, load, config=config, ignore_mismatched_sizes=True, output_loading_info=True)
        others = [key for key, _, shape in said["mismatched_keys"] if shape[:1] != (options["num_labels"],)]
        if others:
            raise ModelError(
                f"hf:{name}: its weights are of other sizes than its config says: {listed(sorted(others))}"
            )
    model.train()  # as other new models are, where from_pretrained gives it in eval mode
    if (Path(name) / FILE_NAME).exists():
        load_swaps(model, name)
    return model


def _transformers_class(config: Any, auto_class: str | None) -> Any:
    transformers = require("transformers", extra="hf")
    for architecture in (not auto_class and config.architectures) or ():
        if hasattr(transformers, architecture):
            return getattr(transformers, architecture)
    try:
        return getattr(transformers, auto_class or "AutoModel")._model_mapping[type(config)]
    except KeyError:
        kind = f" of {auto_class}" if auto_class else ""
        raise ModelError(f"transformers has no model{kind} for a {type(config).__name__}") from None


def _fetched(name: str, load: Callable[..., Any], **options: Any) -> Any:
    try:
        return load(name, trust_remote_code=False, **options)
    except ValueError:
        config, _ = require("transformers", extra="hf").PretrainedConfig.get_config_dict(name)
        if "auto_map" not in config:
            raise
        raise ModelError(
            f"hf:{name} brings code of its own, which is never run: import its class yourself, and name it as "
            "package.module:callable"
        ) from None
    except OSError as error:
        if Path(name).is_dir():
            raise
        reason = str(error).strip().split("\n")[0]
        raise OSError(
            f"could not fetch https://huggingface.co/{name} ({reason}): put its files in a folder, and give hf:FOLDER"
        ) from error


def read_state_dict(path: Path) -> Mapping[str, Any]:
    """Read weights from a file of safetensors or of ``torch.save``.

    Raises:
        ModelError: The file is damaged, or holds something else.
    """
    try:
        if path.suffix == ".safetensors":
            state: Any = require("safetensors.torch", extra="vision").load_file(path)
        else:
            with path.open("rb") as file:
                if (record := damaged_record(file)) is not None:
                    raise ModelError(f"{path} is damaged: the checksum of its record {record} is wrong")
                state = torch.load(file, map_location="cpu", weights_only=True)
    except (ModelError, ImportError):
        raise
    except Exception as error:  # what a damaged file leads to can't be foreseen
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise ModelError(
            f"{path} can't be read as weights: it is empty, damaged or something else ({reason})"
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        raise ModelError(f"{path} holds no state dict, but an object of type {type(state).__name__}")
    return state


#: Where models have weights of their own: how they are made with them (None if there are none of this name), and what
#: these are called.
_PRETRAINED: Mapping[str, Callable[[str, str, Mapping[str, Any], str | None], nn.Module | None]] = {
    "torchvision": _torchvision_pretrained,
    "timm": _timm_pretrained,
    "hf": _transformers_pretrained,
}
_KNOWN_WEIGHTS: Mapping[str, Callable[[str], list[str]]] = {
    "torchvision": lambda name: [member for member in _torchvision_weights(name) if member != "DEFAULT"],
    "timm": _timm_tags,
    "hf": lambda name: ["default"],
}
