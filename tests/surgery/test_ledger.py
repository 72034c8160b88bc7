import copy
import gc
import pickle

from torch import nn

import lightning_acts as acts
from lightning_acts.surgery.ledger import Holder, Ledger, is_swapped_within, ledger_of


def test_a_holder_keeps_no_module_alive() -> None:
    module = nn.ReLU()
    holder = Holder(module)
    assert holder() is module
    del module
    gc.collect()
    assert holder() is None


def test_a_deep_copy_refers_to_the_new_module_and_a_pickle_to_none() -> None:
    module = nn.ReLU()
    module.holder = Holder(module)
    copied = copy.deepcopy(module)
    assert copied.holder() is copied
    assert pickle.loads(pickle.dumps(module)).holder() is None


def test_what_is_swapped_within() -> None:
    model = nn.Sequential(nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU()))
    assert ledger_of(model) == Ledger() and not is_swapped_within(model)
    acts.swap(model, {"0.0": "mish"})
    assert is_swapped_within(model) and is_swapped_within(model[0])
    assert not is_swapped_within(model[1]) and not is_swapped_within(model[0][0])
    acts.restore(model)
    assert not is_swapped_within(model)
