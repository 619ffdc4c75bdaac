"""Packages of the same names stand in for timm and wandb: the real ones take seconds to import."""

import subprocess
import sys

import pytest

PACKAGES = {
    "wandb/__init__.py": "",
    "timm/__init__.py": "try:\n    import wandb\n    saw = True\nexcept ImportError:\n    saw = False\n",
    "timm/layers/__init__.py": "",
    "timm/layers/config.py": "set_fused_attn = use_fused_attn = None",
    "timm/models.py": "PretrainedCfg = adapt_input_conv = get_pretrained_cfg = None",
}
DOOR = "from clf_cli.models.timm_door import timm\n"


@pytest.mark.parametrize(
    ("program", "seen"),
    [
        (f"{DOOR}import wandb\nprint(timm.saw)", "False"),  # a tracker may have it afterwards
        (f"import wandb\n{DOOR}import wandb\nprint(timm.saw)", "True"),  # and keeps it where it was first
    ],
)
def test_timm_does_not_see_wandb_and_others_do(tmp_path, program, seen):
    for name, text in PACKAGES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    whole = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n{program}"
    done = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == seen
