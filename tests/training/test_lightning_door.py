"""Lightning without what it imports for nobody."""

import json
import subprocess
import sys

PROGRAM = """
import json, sys
import clf_cli.training.lightning_door
spared = [name for name in ("scipy",) if name in sys.modules]
import scipy.signal, torch, torchmetrics
from importlib.metadata import version
mean = torchmetrics.MeanMetric()
mean.update(torch.tensor([1.0, 2.0]))
print(json.dumps([spared, float(mean.compute()), version("scipy"), scipy.__version__]))
"""


def test_importing_lightning_imports_no_scipy_and_it_is_there_afterwards():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300, check=True)
    spared, mean, said, version = json.loads(done.stdout)
    assert spared == []
    assert mean == 1.5
    assert said == version
    assert done.stderr == ""
