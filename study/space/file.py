"""Read a search space: a YAML file with a preset and `--set` values merged over it."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from lvm_core.errors import InputError
from study.messages.validation import explain, nearest
from study.records.renames import with_current_keys
from study.space.overlay import merge
from study.space.space import Space
from study.space.variants import settings_of

SPACES_DIR = Path(__file__).resolve().parents[2] / "search_spaces"


def list_spaces() -> dict[str, str]:
    """Return the name and question of every study file."""
    return {path.stem: _read_yaml(path).get("question", "") for path in sorted(SPACES_DIR.glob("*.yaml"))}


def load_space(
    name: str, preset: str | None, settings: list[str], overrides: dict[str, Any], kept: dict[str, Any] | None = None
) -> Space:
    """Read a study by name or path. Order of precedence: file, preset, `kept`, `overrides`, `--set`.

    kept: what a study to be resumed keeps of its own (study.space.legacy).
    Raises: InputError for an unknown study, preset or key (with the nearest known one), or a value out of bounds.
    """
    path = _find(name)
    content = with_current_keys(_read_yaml(path))
    presets = content.pop("presets", None) or {}
    if not isinstance(presets, dict) or not all(isinstance(key, str) for key in content):
        raise InputError(
            f"a study file must have text keys, and `presets` must map names to changes; check {path.name}."
        )
    if preset is not None:
        if preset not in presets:
            raise InputError(f"--preset must be one of {', '.join(presets)} for {path.name}, but got {preset}.")
        content = merge(content, with_current_keys(presets[preset]))
    content = merge(content, kept or {})
    content = merge(content, {key: value for key, value in overrides.items() if value is not None})
    for setting in settings:
        content = merge(content, with_current_keys(_parse_setting(setting)))
    try:
        space = Space(**content)
        settings_of(space)  # refuses an invalid variant by name
        return space
    except ValidationError as error:
        raise InputError(f"{explain(error, Space, path.name)}.") from None
    except UnicodeEncodeError:
        raise InputError(
            f"a study must be valid Unicode text, but {path.name} or a --set contains an unpaired UTF-16 surrogate."
        ) from None


def _find(name: str) -> Path:
    is_path = name.endswith((".yaml", ".yml")) or "/" in name
    path = Path(name) if is_path else SPACES_DIR / f"{name}.yaml"
    if not path.is_file():
        known = {file.stem for file in SPACES_DIR.glob("*.yaml")}
        raise InputError(
            f"a study must be one of {', '.join(sorted(known))} or a YAML file, but got {name}{nearest(name, known)}."
        )
    return path


def _read_yaml(path: Path) -> dict:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"a study file must be readable YAML, but {path} is not: {reason}") from error
    if not isinstance(content, dict):
        raise InputError(f"a study file must be a YAML mapping, but {path} contains a {type(content).__name__}.")
    return content


def _parse_setting(setting: str) -> dict:
    key, equals, text = setting.partition("=")
    if not (equals and key.strip()):
        raise InputError(f"--set must have the form key=value, but got '{setting}'. Example: --set replicates=5")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise InputError(f"--set must have a YAML value, but got '{setting}'.") from None
    for name in reversed(key.strip().split(".")):
        value = {name: value}
    return value
