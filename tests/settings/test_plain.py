"""What is taken without a judge is what pydantic makes of it; texts, typed values and variables alike."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as with_options
from hypothesis import strategies as st
from pydantic import ValidationError

from clf_cli.settings.environment import loose_variables
from clf_cli.settings.judge import judged, judged_strictly, twin
from clf_cli.settings.load import _variables
from clf_cli.settings.plain import NOT_PLAIN, plain
from clf_cli.settings.root import SECTIONS, Setting, Settings, all_settings

thorough = with_options(derandomize=True, deadline=None, max_examples=500)
SETTINGS = tuple(all_settings())
spellings = (
    *("", " ", "0", "-0", "00", "+1", "1", "-1", "32", "1_000", " 7", "7 ", "1.", ".5", "0.5", "1e3", "1E3", "1e-3"),
    *("nan", "inf", "-inf", "1e400", "9" * 18, "9" * 19, "0x10", "1.0", "true", "True", "yes", "on", "off", "1.5e"),
    *("auto", "cpu", "cuda", "cuda:1", "cuda:", "cpu\n", "int8", "none", "null", "None", "a", "~/x", "a/b", "\u0661"),
)
texts = st.one_of(st.sampled_from(spellings), st.integers().map(str), st.floats().map(repr), st.text(max_size=5))
typed = st.one_of(
    *(st.none(), st.booleans(), st.integers(-3, 400), st.integers(), st.floats()),
    *(st.sampled_from(spellings), st.sampled_from([Path("a"), Path("~")])),
)
values = st.one_of(typed, texts, st.lists(st.one_of(typed, texts), max_size=3))


def same(one: object, other: object) -> bool:
    """Equal, of one type throughout, so that 1 is neither 1.0 nor True."""
    return repr(one) == repr(other)


@thorough
@given(st.sampled_from(SETTINGS), values)
def test_a_plain_value_is_what_pydantic_makes_of_it(setting, value):
    found = plain(setting.field.whole, value, texts=True)
    if found is not NOT_PLAIN:
        assert same(judged(SECTIONS[setting.section], {setting.key: value})[setting.key], found)


@thorough
@given(st.sampled_from(SETTINGS), values.filter(lambda value: not isinstance(value, Path)))
def test_so_is_a_plain_value_of_a_file(setting, value):
    found = plain(setting.field.whole, value, texts=False)
    if found is not NOT_PLAIN:
        assert same(judged_strictly(SECTIONS[setting.section], {setting.key: value})[setting.key], found)


def words_of(setting: Setting) -> list[str]:
    """Texts that the setting takes, one of each kind at least."""
    schema = twin(SECTIONS[setting.section]).model_json_schema()["properties"][setting.key]
    found: list[str] = []
    for one in schema.get("anyOf", [schema]):
        kind = one.get("items", one)
        low = kind.get("minimum", kind.get("exclusiveMinimum", 0))
        found += kind.get("enum", [kind["const"]] if "const" in kind else [])
        found += {"integer": [str(low + 1)], "boolean": ["true", "false"]}.get(kind.get("type"), [])
        found += [str(low + 0.5)] if kind.get("type") == "number" else []
        found += ["cpu"] if "pattern" in kind else []
    return found or ["some/thing"]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.path)
def test_what_people_write_is_plain(setting):
    """Else pydantic is imported for nothing."""
    for word in words_of(setting):
        value = [word] if setting.is_list else word
        assert plain(setting.field.whole, value, texts=True) is not NOT_PLAIN, word
    default = setting.default
    assert same(plain(setting.field.whole, default, texts=False), default)


def test_variables_are_read_as_pydantic_settings_reads_them(monkeypatch):
    for name in [name for name in os.environ if name.startswith("CLF_")]:
        monkeypatch.delenv(name)
    for setting in SETTINGS:
        monkeypatch.setenv(setting.variable, ", ".join(words_of(setting)[:2]))
    names = [setting.variable for setting in SETTINGS]
    assert _variables(names) == loose_variables()
    assert len(_variables(names)) == len(SETTINGS)


def test_a_variable_in_another_case_is_read_as_ever(monkeypatch):
    monkeypatch.setenv("clf_optim__lr", "0.25")
    assert _variables([]) == loose_variables() == {"optim.lr": "0.25"}


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_dumps_as_its_twin(name):
    section = SECTIONS[name]()
    model = twin(SECTIONS[name])()
    assert section.model_dump() == model.model_dump()
    assert section.model_dump(mode="json") == model.model_dump(mode="json")
    some = list(SECTIONS[name].model_fields)[:2]
    assert section.model_dump(exclude=some, exclude_none=True) == model.model_dump(exclude=set(some), exclude_none=True)


def test_all_settings_dump_as_their_twin():
    assert Settings().model_dump(mode="json") == twin(Settings)().model_dump(mode="json")
    assert json.dumps(Settings.model_json_schema()) == json.dumps(twin(Settings).model_json_schema())


def test_sections_among_values_are_judged_with_them():
    settings = Settings()
    optim = settings.optim.model_copy(update={"lr": 0.5})
    assert Settings(optim=optim, data={"val_fraction": " 0.5"}).optim is not settings.optim
    made = Settings(optim=optim, data={"val_fraction": " 0.5"})
    assert (made.optim, made.data.val_fraction) == (optim, 0.5)
    with pytest.raises(ValidationError, match=r"optim\.lr"):
        Settings.model_validate({"optim": {"lr": -1}})
    with pytest.raises(ValidationError):
        Settings.model_validate([("optim", {})])


def test_plain_settings_are_resolved_without_pydantic(tmp_path):
    """Flags, variables and a file, well written."""
    code = (
        "import sys; from pathlib import Path; from clf_cli.settings.load import resolve;"
        "found = resolve('train', {'optim.lr': '0.1', 'augment.preset': 'ocr', 'ema.enabled': False});"
        "assert (found.settings.optim.epochs, found.settings.data.root) == (3, Path('a'));"
        "print(sorted({'pydantic', 'pydantic_settings'} & set(sys.modules)))"
    )
    (tmp_path / "clf.toml").write_text("[data]\nroot = 'a'\n[optim]\nlr = 1\nbatch_size = 'auto'\n", encoding="utf-8")
    env = {**os.environ, "CLF_OPTIM__EPOCHS": "3", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
