"""The declarations themselves: one name each, no collisions, nothing left undescribed."""

from dataclasses import FrozenInstanceError

import pytest
from pydantic import ValidationError

from clf_cli.settings.root import (
    COMMANDS,
    FLAG_ONLY,
    SECTIONS,
    Setting,
    Settings,
    all_settings,
    settings_of,
)


def test_every_setting_is_described_and_every_section_titled():
    assert all(setting.field.description for setting in all_settings())
    assert all(section.title for section in SECTIONS.values())
    assert list(SECTIONS) == list(Settings.model_fields)


def test_every_setting_has_a_variable_of_its_own():
    variables = [setting.variable for setting in all_settings()]
    assert len(set(variables)) == len(variables)
    assert Setting("validate_onnx", "min_agreement").variable == "CLF_VALIDATE_ONNX__MIN_AGREEMENT"


@pytest.mark.parametrize("command", COMMANDS)
def test_no_two_flags_of_a_command_are_the_same(command):
    flags = [name for setting in settings_of(command) for flag in setting.flags for name in flag.split("/")]
    assert len(set(flags)) == len(flags)
    assert all(flag.startswith("-") for flag in flags)


def test_every_setting_is_a_flag_of_some_command():
    shown = {setting.path for command in COMMANDS for setting in settings_of(command)}
    assert {setting.path for setting in all_settings()} == shown


@pytest.mark.parametrize(
    ("setting", "flags"),
    [
        (Setting("optim", "weight_decay"), ("--weight-decay",)),
        (Setting("optim", "batch_size"), ("--batch-size", "-b")),
        (Setting("data", "root"), ("--data", "-d")),
        (Setting("augment", "preset"), ("--augment",)),
        (Setting("augment", "flip"), ("--flip/--no-flip",)),
        (Setting("callbacks", "early_stopping"), ("--early-stopping/--no-early-stopping",)),
        (Setting("ema", "enabled", prefixed=True), ("--ema/--no-ema",)),
        (Setting("ema", "decay", prefixed=True), ("--ema-decay",)),
        (Setting("export", "opset"), ("--opset",)),
        (Setting("export", "simplify", prefixed=True), ("--export-simplify/--no-export-simplify",)),
    ],
)
def test_flags_are_leaf_names_a_section_before_them_where_it_is_another_commands(setting, flags):
    assert setting.flags == flags
    assert setting.flag == flags[0].split("/")[0]


def test_switches_of_the_twelve_callbacks():
    flags = {name for setting in settings_of("train") for flag in setting.flags for name in flag.split("/")}
    concerns = "ema export confusion model-info dataset-stats history sampler-stats samples progress lr-log"
    for concern in [*concerns.split(), "early-stopping", "checkpoints"]:
        assert {f"--{concern}", f"--no-{concern}"} <= flags


def test_a_left_out_setting_is_no_flag():
    assert "export.enabled" not in [setting.path for setting in settings_of("export")]
    assert "data.subset" not in [setting.path for setting in settings_of("inspect-dataset")]


def test_names_that_rules_speak_of_exist():
    paths = {setting.path for setting in all_settings()}
    assert paths >= FLAG_ONLY


def test_sections_are_frozen_and_refuse_unknown_keys():
    with pytest.raises(FrozenInstanceError, match="frozen"):
        Settings().optim.lr = 1
    with pytest.raises(ValidationError, match="Extra inputs"):
        Settings.model_validate({"optim": {"lrr": 1}})


def test_defaults_hold_their_own_bounds():
    for section in SECTIONS.values():
        section.model_validate(section().model_dump())


def test_the_documented_defaults_of_train():
    settings = Settings()
    optim = settings.optim
    assert (optim.epochs, optim.batch_size, optim.optimizer, optim.lr) == (30, 32, "adamw", 1e-3)
    assert (optim.weight_decay, optim.clip_grad, optim.label_smoothing, optim.balance) == (0.05, 1.0, 0.1, "none")
    train = settings.train
    assert (train.patience, train.min_delta, train.monitor, train.out.name) == (10, 0.001, "val/acc_top1", "runs")
    assert (settings.model.arch, settings.ema.enabled, settings.compute.seed) == ("resnet18", True, 0)
