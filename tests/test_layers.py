"""The shape of the program, from its source: layers, one door per heavy dependency, no torch where it is not needed."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "clf_cli"
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))

LAYERS = {
    "errors.py": 0,
    "files.py": 0,
    "locks.py": 0,
    "signals.py": 0,
    "child_signals.py": 0,
    "reading.py": 0,
    "__init__.py": 0,
    "settings": 1,
    "values": 1,
    "models": 2,
    "data": 2,
    "engine": 3,
    "training": 4,
    "render": 4,
    "api.py": 4,
    "cli": 5,
    "__main__.py": 6,
}
DOORS = {
    "typer": ("cli/",),
    "lightning": ("training/lightning_door.py",),
    "tensorboard": ("training/trackers/",),
    "timm": ("models/timm_door.py",),
    "wandb": ("training/trackers/",),
    "mlflow": ("training/trackers/",),
    "torchmetrics": ("training/lightning_door.py",),
    "matplotlib": ("render/", "training/lightning_door.py"),
    "jinja2": ("render/page_template.py",),
    "markupsafe": ("render/page_template.py",),
    "rich": ("render/", "cli/console.py", "cli/help.py", "training/callbacks/progress.py", "training/watcher.py"),
    "rich.table": ("render/",),
    "onnx": ("models/onnx.py", "models/onnx_limits.py", "engine/onnx_"),
    "onnxruntime": ("models/onnx.py", "engine/onnx_"),
    "onnxsim": ("models/onnx.py", "engine/onnx_"),
    "onnxscript": ("models/onnx.py", "engine/onnx_"),
    "pydantic": ("settings/judge.py", "settings/environment.py"),
    "pydantic_settings": ("settings/environment.py",),
    "cv2": ("data/warp.py",),
}
HEAVY = {"torch", "torchvision", "timm", "lightning", "matplotlib", "onnx", "onnxruntime", "onnxsim", "onnxscript"}
ABOUT_TORCH = {
    "engine/average.py",
    "engine/model_info.py",
    "engine/onnx_convert.py",
    "engine/onnx_export.py",
    "engine/onnx_rung.py",
    "engine/onnx_trace.py",
}


@cache
def imports(file: str, top_only: bool = False) -> frozenset[str]:
    """Modules that a file imports, those for type checkers left out; `top_only` leaves out those inside functions."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    found: set[str] = set()
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            stack += node.orelse
        elif not (top_only and isinstance(node, ast.FunctionDef)):
            stack += ast.iter_child_nodes(node)
    return frozenset(found)


def layer(name: str) -> int:
    return LAYERS[name]


def is_of(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


@pytest.mark.parametrize("file", FILES)
def test_a_file_imports_its_own_layer_or_below(file):
    own = layer(file.split("/")[0])
    for module in imports(file):
        if is_of(module, "clf_cli"):
            part = module.split(".")[1] if "." in module else "__init__"
            target = part if part in LAYERS else f"{part}.py" if f"{part}.py" in LAYERS else "__init__.py"
            assert layer(target) <= own, f"{file} imports {module}"


@pytest.mark.parametrize(("package", "doors"), DOORS.items())
def test_a_heavy_dependency_has_one_door(package, doors):
    users = [file for file in FILES if any(is_of(module, package) for module in imports(file))]
    assert [file for file in users if not file.startswith(doors)] == []


@pytest.mark.parametrize("file", FILES)
def test_values_and_settings_know_no_heavy_dependency(file):
    if layer(file.split("/")[0]) <= 1:
        assert not [module for module in imports(file) if module.split(".")[0] in HEAVY]


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("cli/")])
def test_the_command_line_imports_heavy_modules_in_bodies_only(file):
    assert not [module for module in imports(file, top_only=True) if module.split(".")[0] in {*HEAVY, "numpy", "PIL"}]


@pytest.mark.parametrize(
    "file", [file for file in FILES if file.startswith(("engine/", "render/", "data/images.py", "api.py"))]
)
def test_modules_that_are_not_about_torch_do_not_import_it_at_the_top(file):
    if file not in ABOUT_TORCH:
        assert not [
            module
            for module in imports(file, top_only=True)
            if module.split(".")[0] in {"torch", "torchvision", "timm"}
        ]


@pytest.mark.parametrize("file", FILES)
def test_expected_failures_end_in_main_alone(file):
    """Elsewhere `except ClfError` raises again; an export that fails after training waits for the end of the run."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    ends = [
        handler.lineno
        for handler in ast.walk(tree)
        if isinstance(handler, ast.ExceptHandler)
        and {"ClfError", "BaseException"} & {node.id for node in ast.walk(handler) if isinstance(node, ast.Name)}
        and not any(isinstance(node, ast.Raise) for node in ast.walk(handler))
    ]
    assert len(ends) == {"__main__.py": 1, "training/finish.py": 1}.get(file, 0)


@pytest.mark.parametrize("file", FILES)
def test_names_say_what_a_module_is_about(file):
    assert not {"utils", "helpers", "manager", "common", "misc"} & set(Path(file).with_suffix("").parts)


@pytest.mark.parametrize("file", FILES)
def test_sizes(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            docstring = len((ast.get_docstring(node, clean=False) or "").splitlines())
            lines = (node.end_lineno or 0) - node.lineno + 1 - docstring
            assert lines <= 40, f"{file}: {node.name} has {lines} lines"
            names = [argument.arg for argument in node.args.args if argument.arg not in {"self", "cls"}]
            is_command = file.startswith("cli/commands/")  # its parameters are options
            assert len(names) <= 6 or is_command, f"{file}: {node.name} has {len(names)} parameters"


def test_the_reader_sees_what_it_should(tmp_path):
    """The checks above are only as good as `imports`."""
    assert "numpy" in {
        module.split(".")[0] for module in imports("values/labels.py") | imports("values/predictions.py")
    }
    assert "typer" in imports("cli/app.py", top_only=True)
    assert "clf_cli.settings.load.resolve" in imports("cli/resolving.py")
    assert "clf_cli.settings.load.resolve" not in imports("cli/resolving.py", top_only=True)
    assert not [module for module in imports("cli/console.py") if "report" in module]  # for type checkers only
