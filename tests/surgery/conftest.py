import sys
from pathlib import Path

# Pickles name the module of a model's class: ``nasties`` must be importable under that name, here and elsewhere.
sys.path.insert(0, str(Path(__file__).parent))
