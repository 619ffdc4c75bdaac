"""Layers, sources and messages: every error of a misspelt, mistyped or contradicting setting."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as with_options
from hypothesis import strategies as st

from clf_cli.errors import UsageError
from clf_cli.settings.load import Resolved, read_settings, resolve, to_toml
from clf_cli.settings.resolved import left_aside
from clf_cli.settings.root import COMMANDS, Settings, all_settings
from clf_cli.settings.sections import AugmentSection, DataSection, ModelSection, SynthSection, TrainSection


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("CLF_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def toml(text, name="clf.toml"):
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def message(command="train", flags=None, config=None):
    with pytest.raises(UsageError) as caught:
        resolve(command, flags or {}, config)
    assert caught.value.exit_code == 2
    return caught.value.message


# Layers


def test_without_any_source_everything_is_a_default():
    resolved = resolve("train", {})
    assert resolved.settings == Settings()
    assert resolved.origin == {}
    assert resolved.notes == ()


def test_flags_beat_variables_beat_files_beat_defaults(monkeypatch):
    toml("[optim]\nlr = 0.1\nepochs = 3\nweight_decay = 0.5\n")
    monkeypatch.setenv("CLF_OPTIM__LR", "0.2")
    monkeypatch.setenv("CLF_OPTIM__EPOCHS", "4")
    resolved = resolve("train", {"optim.lr": "0.3"})
    optim = resolved.settings.optim
    assert (optim.lr, optim.epochs, optim.weight_decay, optim.batch_size) == (0.3, 4, 0.5, 32)
    assert resolved.origin == {
        "optim.lr": "command line",
        "optim.epochs": "CLF_OPTIM__EPOCHS",
        "optim.weight_decay": "clf.toml",
    }
    assert resolved.given("optim.lr")
    assert not resolved.given("optim.epochs")


def test_a_flag_equal_to_the_default_still_beats_the_file():
    toml("[optim]\nlr = 0.1\n")
    assert resolve("train", {"optim.lr": "0.001"}).settings.optim.lr == 0.001


def test_one_variable_does_not_reset_the_rest_of_its_section(monkeypatch):
    toml("[optim]\nlr = 0.1\n")
    monkeypatch.setenv("CLF_OPTIM__EPOCHS", "4")
    assert resolve("train", {}).settings.optim.lr == 0.1


def test_config_takes_the_place_of_the_files_that_are_found(tmp_path):
    toml("[optim]\nlr = 0.1\nepochs = 3\n")
    other = toml("[optim]\nlr = 0.2\n", "other.toml")
    resolved = resolve("train", {}, other)
    assert (resolved.settings.optim.lr, resolved.settings.optim.epochs) == (0.2, 30)
    assert resolved.origin == {"optim.lr": "other.toml"}


def test_pyproject_is_read_when_there_is_no_clf_toml():
    toml('[project]\nname = "x"\n[tool.clf.optim]\nlr = 0.1\n', "pyproject.toml")
    resolved = resolve("train", {})
    assert resolved.settings.optim.lr == 0.1
    assert resolved.origin == {"optim.lr": "pyproject.toml"}
    toml("[optim]\nepochs = 3\n")
    both = resolve("train", {})
    assert (both.settings.optim.lr, both.settings.optim.epochs) == (0.001, 3)
    assert both.notes == ("clf.toml is here, so [tool.clf] in pyproject.toml is not read.",)


@pytest.mark.parametrize("text", ["", "tool = 3", "[tool]\nclf = 3", '[tool.other]\nlr = "x"'])
def test_a_pyproject_that_does_not_speak_of_clf_is_no_source(text):
    toml(text, "pyproject.toml")
    assert resolve("train", {}).origin == {}


def test_config_may_name_a_pyproject():
    project = toml("[tool.clf.optim]\nlr = 0.1\n", "pyproject.toml")
    assert resolve("train", {}, project).settings.optim.lr == 0.1


def test_a_variable_that_overrides_an_explicit_config_is_said_in_one_line(monkeypatch):
    config = toml("[optim]\nlr = 0.1\nepochs = 3\nweight_decay = 0.5\n", "run.toml")
    for name, value in {"LR": "0.2", "EPOCHS": "4", "WEIGHT_DECAY": "0.5", "BATCH_SIZE": "7"}.items():
        monkeypatch.setenv(f"CLF_OPTIM__{name}", value)
    resolved = resolve("train", {"optim.epochs": "9"}, config)
    assert resolved.notes == ("The environment overrides run.toml: CLF_OPTIM__LR.",)  # decay agrees, epochs is a flag
    toml("[optim]\nlr = 0.1\n")
    assert resolve("train", {}).notes == ()


def test_a_variable_set_to_nothing_counts_as_not_set(monkeypatch):
    monkeypatch.setenv("CLF_OPTIM__LR", "")
    monkeypatch.setenv("CLF_TRAIN__VAL", "")
    assert resolve("train", {}).origin == {}


@pytest.mark.parametrize(
    ("variable", "text", "path", "value"),
    [
        ("CLF_COMPUTE__THREADS", "4", "compute.threads", 4),
        ("CLF_COMPUTE__THREADS", "auto", "compute.threads", "auto"),
        ("CLF_AUGMENT__FLIP", "false", "augment.flip", False),
        ("CLF_EMA__ENABLED", "0", "ema.enabled", False),
        ("CLF_DATA__ROOT", "a b/ü", "data.root", Path("a b/ü")),
        ("CLF_VALIDATE_ONNX__TOLERANCE", "1e-3", "validate_onnx.tolerance", 0.001),
        ("CLF_MODEL__IMAGE_SIZE", "96", "model.image_size", 96),
    ],
)
def test_variables_are_text_that_is_converted(monkeypatch, variable, text, path, value):
    monkeypatch.setenv(variable, text)
    resolved = resolve("train", {})
    section, _, key = path.partition(".")
    assert dict(dict(resolved.settings)[section])[key] == value
    assert resolved.origin == {path: variable}


def test_the_cache_folder_is_the_one_variable_outside(monkeypatch):
    monkeypatch.setenv("CLF_CACHE_DIR", "/somewhere")
    assert resolve("train", {}).settings == Settings()


def test_a_home_folder_is_expanded_in_files_and_variables(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("USERPROFILE", "/home/ada")
    toml('[data]\nroot = "~/flowers"\n')
    assert resolve("train", {}).settings.data.root == Path("/home/ada/flowers")


def test_what_a_model_fixes_is_left_aside_with_a_line(monkeypatch):
    toml('[model]\narch = "resnet50"\nimage_size = 96\ninterpolation = "auto"\n')
    monkeypatch.setenv("CLF_MODEL__CROP_SHARE", "0.9")
    fixed = {
        "model.arch": "resnet18",
        "model.image_size": 96,
        "model.interpolation": "bicubic",
        "model.crop_share": 1.0,
    }
    assert left_aside(resolve("confusion", {}), fixed) == (
        "Not used: model.arch = resnet50 (clf.toml). The model has resnet18.",
        "Not used: model.crop_share = 0.9 (CLF_MODEL__CROP_SHARE). The model has 1.0.",
    )
    Path("clf.toml").unlink()
    monkeypatch.delenv("CLF_MODEL__CROP_SHARE")
    assert left_aside(resolve("confusion", {}), fixed) == ()  # defaults say nothing


# Resuming


def saved_run(root, text):
    root.mkdir(parents=True)
    (root / "run.json").write_text("{}", encoding="utf-8")
    (root / "settings.toml").write_text(text, encoding="utf-8")
    (root / "checkpoints").mkdir()
    return root


@pytest.mark.parametrize("name", ["runs/x", "runs/x/checkpoints/last.ckpt"])
def test_resuming_reads_the_run_instead_of_environment_and_files(monkeypatch, name):
    saved_run(Path("runs/x"), "[optim]\nlr = 0.5\nepochs = 3\n")
    toml('[optim]\nlr = 0.1\nbatch_size = 8\n[train]\ninit_from = "other.ckpt"\n')
    monkeypatch.setenv("CLF_OPTIM__EPOCHS", "99")
    resolved = resolve("train", {"train.resume": name, "optim.epochs": "5"})
    optim = resolved.settings.optim
    assert (optim.lr, optim.epochs, optim.batch_size) == (0.5, 5, 32)
    assert resolved.settings.train.resume == Path(name)
    assert resolved.given("optim.epochs")
    assert not resolved.given("optim.lr")


def test_resuming_what_is_no_run_is_left_to_the_command():
    assert resolve("train", {"train.resume": "nowhere"}).settings.train.resume == Path("nowhere")


def test_nothing_resumes_by_itself(monkeypatch):
    toml('[train]\nresume = "runs/x"\n')
    assert "train.resume in clf.toml: it is a flag only" in message()
    toml("")
    monkeypatch.setenv("CLF_TRAIN__RESUME", "runs/x")
    assert "CLF_TRAIN__RESUME: it is a flag only" in message()


# Messages


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[optm]\nlr = 1", "optm in clf.toml: no such section; did you mean [optim]?"),
        ("[optim]\nepoch = 1", "optim.epoch in clf.toml: no such setting; did you mean optim.epochs?"),
        ("[optim]\nseed = 1", "optim.seed in clf.toml: no such setting; did you mean compute.seed?"),
        ("lr = 1", "lr in clf.toml: no such section; did you mean lr under [optim]?"),
        ("model = 1", "model in clf.toml: it is a section; write [model] on a line of its own."),
        ("[quux]", "quux in clf.toml: no such section; there are data, model, "),
        ("[ema]\nquux = 1", "ema.quux in clf.toml: no such setting; there are enabled, decay, warmup_steps."),
        ("[optim]\nlr = 'fast'", "optim.lr in clf.toml: expected a number > 0, got 'fast'."),
        ("[optim]\nlr = '0.1'", "optim.lr in clf.toml: expected a number > 0, got '0.1'."),
        ("[optim]\nlr = nan", "optim.lr in clf.toml: expected a number > 0, got nan."),
        ("[optim]\nlr = [1]", "optim.lr in clf.toml: expected a number > 0, got 1."),
        ("[optim]\nepochs = true", "optim.epochs in clf.toml: expected a whole number > 0, got true."),
        ("[optim]\nepochs = 2.5", "optim.epochs in clf.toml: expected a whole number > 0, got 2.5."),
        ("[optim]\nepochs = 0", "optim.epochs in clf.toml: expected a whole number > 0, got 0."),
        ("[optim]\nlabel_smoothing = 1", "optim.label_smoothing in clf.toml: expected a number ≥ 0 and < 1, got 1."),
        ("[train]\nval = 1", "train.val in clf.toml: expected true or false, got 1."),
        ("[train]\nname = 3", "train.name in clf.toml: expected text, got 3."),
        ("[data]\nroot = 3", "data.root in clf.toml: expected a path, got 3."),
        ("[data]\nroot = ''", "data.root in clf.toml: it is empty; leave it out to get the default."),
        ('[data]\nroot = "a\\u0000b"', "data.root in clf.toml: 'a\\x00b' holds characters that cannot be saved."),
        ("[optim]\noptimizer = 'Adam'", "expected adamw or sgd, got 'Adam'; did you mean adamw?"),
        ("[compute]\nthreads = 'some'", "expected a whole number > 0, or auto, got 'some'."),
        ("[compute]\ndevice = 'tpu'", "expected auto, cpu, cuda, cuda:1 or mps, got 'tpu'."),
        ("[model]\nimage_size = 7", "expected a whole number ≥ 8 and ≤ 2048, got 7."),
    ],
)
def test_a_message_names_file_section_and_key(text, expected):
    toml(text)
    assert expected in message()


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("CLF_OPTIM__LRR", "CLF_OPTIM__LR"),
        ("CLF_OPTMI__LR", "CLF_OPTIM__LR"),
        ("CLF_OPTIM_LR", "CLF_OPTIM__LR"),
        ("CLF_VALIDATE__ONNX__TOLERANCE", "CLF_VALIDATE_ONNX__TOLERANCE"),
        ("CLF_VALIDATE_ONNX_TOLERANCE", "CLF_VALIDATE_ONNX__TOLERANCE"),
        ("CLF_SEED", "CLF_COMPUTE__SEED"),
        ("CLF_CACHEDIR", "CLF_CACHE_DIR"),
        ("CLF_DATA", "CLF_DATA__ROOT"),
    ],
)
def test_a_misspelt_variable_gets_the_nearest_right_name(monkeypatch, name, right):
    monkeypatch.setenv(name, "1")
    assert message() == f"{name}: no such variable; did you mean {right}?"


def test_a_variable_that_resembles_nothing_is_an_error_too(monkeypatch):
    monkeypatch.setenv("CLF_FROBNICATE", "1")
    assert message().startswith("CLF_FROBNICATE: no such variable; `clf config show`")


def test_a_section_as_a_variable_cannot_smuggle_values_in(monkeypatch):
    monkeypatch.setenv("CLF_OPTIM", '{"lr": 7}')
    assert message().startswith("CLF_OPTIM: no such variable")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("CLF_OPTIM__LR", "fast", "CLF_OPTIM__LR: expected a number > 0, got 'fast'."),
        ("CLF_OPTIM__LR", "-1", "CLF_OPTIM__LR: expected a number > 0, got '-1'."),
        ("CLF_EMA__ENABLED", "maybe", "CLF_EMA__ENABLED: expected true or false, got 'maybe'."),
        ("CLF_AUGMENT__PRESET", "orc", "expected none, basic, strong or ocr, got 'orc'; did you mean ocr?"),
    ],
)
def test_a_message_names_the_variable(monkeypatch, name, text, expected):
    monkeypatch.setenv(name, text)
    assert expected in message()


def test_a_message_names_the_flag_as_the_command_spells_it():
    assert message("train", {"export.opset": "3"}).startswith("--export-opset: expected a whole number ≥ 17")
    assert message("export", {"export.opset": "3"}).startswith("--opset: expected a whole number ≥ 17")
    assert message("train", {"data.root": ""}).startswith("--data: it is empty")


def test_every_problem_of_every_source_comes_at_once(monkeypatch):
    toml("[optim]\nlr = 'fast'\nshedule = 1\n")
    monkeypatch.setenv("CLF_OPTIM__EPOCHS", "many")
    monkeypatch.setenv("CLF_OPTIM__LRR", "1")
    lines = message("train", {"optim.batch_size": "0", "compute.device": "tpu"}).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "optim.shedule in clf.toml",
        "optim.lr in clf.toml",
        "CLF_OPTIM__LRR",
        "CLF_OPTIM__EPOCHS",
        "--batch-size",
        "--device",
    ]


def test_a_config_that_is_not_there_is_an_error_with_the_nearest_file():
    toml("", "jersey.toml")
    with pytest.raises(UsageError) as caught:
        resolve("train", {}, Path("jersy.toml"))
    assert caught.value.message == "No settings file jersy.toml."
    assert caught.value.hint == "Did you mean jersey.toml?"
    assert message(config=Path("nowhere/x.toml")) == f"No settings file {Path('nowhere/x.toml')}."


def test_a_config_that_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "folder.toml").mkdir()
    assert message(config=Path("folder.toml")).startswith("Cannot read the settings file folder.toml: ")
    (tmp_path / "latin.toml").write_bytes(b'[train]\nname = "\xfc"\n')
    assert message(config=Path("latin.toml")) == "latin.toml is not UTF-8 text: byte 16 cannot be read."


@pytest.mark.parametrize("name", ["clf.toml", "pyproject.toml"])
def test_broken_toml_is_an_error_with_line_and_column(name):
    toml("[optim]\nlr = 0.1\nepochs = = 3\n", name)
    assert message().startswith(f"{name} is not valid TOML: Invalid value (at line 3, column 10)")


def test_a_byte_order_mark_is_no_mistake():
    toml("\ufeff[optim]\nlr = 0.1\n")
    assert resolve("train", {}).settings.optim.lr == 0.1


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        ({"train.resume": "a", "train.init_from": "b"}, ("--resume", "--init-from")),
        ({"model.weights": "a", "train.init_from": "b"}, ("--weights", "--init-from")),
        ({"data.val_fraction": "0.6", "data.test_fraction": "0.4"}, ("--val-fraction 0.6", "--test-fraction 0.4")),
        ({"optim.epochs": "1", "optim.warmup_epochs": "2"}, ("--warmup-epochs 2", "--epochs 1")),
    ],
)
def test_settings_that_exclude_each_other_are_named_as_flags(flags, names):
    assert all(name in message(flags=flags) for name in names)
    for path in flags:
        resolve("train", {path: flags[path]})  # each alone is fine


def test_an_export_needs_a_checkpoint():
    assert "--no-checkpoints leaves no weights to export" in message(flags={"callbacks.checkpoints": "false"})
    kept_nowhere = {"callbacks.checkpoints": "false", "export.enabled": "false", "train.checkpoint_every_steps": "5"}
    assert "--checkpoint-every-steps keeps nothing with --no-checkpoints" in message(flags=kept_nowhere)
    without = resolve("train", {"callbacks.checkpoints": "false", "export.enabled": "false"}).settings
    assert not without.callbacks.checkpoints


def test_synth_targets_must_reach_what_they_fill_up_to():
    assert "--target 10 is less than --below 50" in message("synth", {"synth.like": "a", "synth.target": "10"})
    assert resolve("synth", {"synth.target": "10"}).settings.synth.target == 10  # without --like nothing reads it


def test_epochs_1_works_with_defaults():
    assert resolve("train", {"optim.epochs": "1"}).settings.optim.epochs == 1


# Saved files

_PATHS = st.text(st.characters(exclude_characters="\0\\", exclude_categories=("Cs",)), min_size=1).map(Path)
_SETTINGS = st.builds(
    Settings,
    data=st.builds(
        DataSection, root=_PATHS.filter(lambda path: not str(path).startswith("~")), subset=st.floats(1e-9, 1)
    ),
    model=st.builds(
        ModelSection, arch=st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1)
    ),
    augment=st.builds(AugmentSection, flip=st.sampled_from([None, True, False]), mixup=st.floats(0, 1e300)),
    synth=st.builds(SynthSection, images=st.integers(1, 2**60)),
)


@with_options(deadline=None, max_examples=50)
@given(_SETTINGS, st.text(max_size=20))
def test_a_saved_file_gives_the_settings_again(tmp_path_factory, settings, origin):
    path = tmp_path_factory.mktemp("saved") / "settings.toml"
    path.write_bytes(to_toml(settings, {"model.arch": origin, "optim.lr": origin}).encode())
    assert read_settings(path) == settings


@pytest.mark.parametrize(
    "name", ['say "hi"', "back\\slash", "new\nline", "tab\t", "\x7f\x1b", "ä 数字 🎽", "#no comment", "'"]
)
def test_names_that_need_escapes_survive(name):
    settings = Settings(model=ModelSection(arch=name))
    assert read_settings(toml(to_toml(settings, {}))) == settings


def test_the_source_of_each_value_is_a_comment_and_so_is_what_is_not_set(monkeypatch):
    monkeypatch.setenv("CLF_OPTIM__EPOCHS", "4")
    text = resolve("train", {"optim.lr": "0.3", "data.root": "a/b"}).to_toml()
    assert 'root = "a/b"  # command line' in text
    assert "lr = 0.3  # command line" in text
    assert "epochs = 4  # CLF_OPTIM__EPOCHS" in text
    assert "batch_size = 32  # default" in text
    assert "# image_size is not set" in text


def test_a_source_with_a_line_break_stays_a_comment():
    assert "# a?b" in to_toml(Settings(), {"optim.lr": "a\nb"})


def test_a_repeat_takes_over_all_but_name_resume_and_init_from():
    flags = {"optim.lr": "0.3", "train.name": "first", "train.init_from": "x.ckpt", "train.out": "elsewhere"}
    resolved = resolve("train", flags)
    text = resolved.to_toml()
    assert '# name = "first"  # command line' in text
    repeated = resolve("train", {}, toml(text, "settings.toml"))
    assert repeated.settings.train == TrainSection(out=Path("elsewhere"))
    assert repeated.settings.optim == resolved.settings.optim


def test_a_second_save_differs_only_in_the_sources():
    first = resolve("train", {"optim.lr": "0.3", "augment.flip": False})
    again = resolve("train", {}, toml(first.to_toml(), "settings.toml"))
    assert again.settings == first.settings
    assert set(again.origin.values()) == {"settings.toml"}


def test_read_settings_knows_no_environment(monkeypatch):
    monkeypatch.setenv("CLF_OPTIM__LR", "7")
    monkeypatch.setenv("CLF_NONSENSE", "7")
    assert read_settings(toml("[optim]\nepochs = 3\n", "settings.toml")).optim.lr == 0.001


@pytest.mark.parametrize("text", ["[optim]\nlr = 'x'", "[optm]", "= 3"])
def test_a_saved_file_that_is_wrong_is_an_error(text):
    with pytest.raises(UsageError, match=r"settings\.toml"):
        read_settings(toml(text, "settings.toml"))


def test_the_result_is_frozen():
    resolved = resolve("train", {})
    assert isinstance(resolved, Resolved)
    with pytest.raises(AttributeError):
        resolved.notes = ()
    with pytest.raises(AttributeError, match="frozen"):
        resolved.settings.optim.lr = 3


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_resolves(command):
    assert resolve(command, {}).settings == Settings()


def test_every_default_is_a_value_that_its_section_accepts():
    resolve("train", {}, toml(to_toml(Settings(), {}), "all.toml"))
    assert len(list(all_settings())) > 80
