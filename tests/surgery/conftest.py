import sys
from pathlib import Path

# Pickles name the module of a model's class: ``odd_models`` must be importable under that name, here and elsewhere. So must
# the collection of models and the scripts that share it.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "scripts")]

# No tests, and no model is registered twice.
collect_ignore = ["odd_models"]
