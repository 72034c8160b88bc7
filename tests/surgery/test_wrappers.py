import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from lightning_acts.surgery.wrappers import plain_path, wrappers_of


def test_paths_without_the_prefixes_of_wrappers() -> None:
    assert plain_path("_orig_mod.net._fsdp_wrapped_module.0._checkpoint_wrapped_module.act") == "net.0.act"
    assert plain_path("module.net") == "module.net"  # may be a name of the author's


def test_from_the_outside_to_the_inside() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    averaged = AveragedModel(model)
    compiled = torch.compile(averaged, backend="eager")
    assert wrappers_of(compiled) == [compiled, averaged, averaged.module]


def test_a_child_called_module_is_no_wrapped_model() -> None:
    model = nn.ModuleDict({"module": nn.Linear(2, 2)})
    assert wrappers_of(model) == [model]
