"""From a profile and the environment to Settings, or to a list of every fault at once; and back to plain data for printing."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeGuard, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from models.errors import SettingsError
from settings.origins import ORIGINS
from settings.plain_yaml import read_yaml
from settings.whole import Settings

PREFIX = "FIRESIDE_"
CONFIGS = Path(__file__).parent.parent / "configs"
# Read by the launcher, the Makefile, the commands and the examples, not part of the configuration itself.
LAUNCH_VARIABLES = {"FIRESIDE_PROFILE", "FIRESIDE_API_KEY", "FIRESIDE_URL", "FIRESIDE_SUPERVISOR"}
# What Kubernetes tells each pod of a Service whose name begins with fireside.
LINK = re.compile(r"FIRESIDE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
MASK = "********"
# hf_token and AWS_SECRET_ACCESS_KEY, but not max_num_batched_tokens.
SECRET = re.compile(r"(token|keys?|passphrase|credentials?)$|secret|password", re.IGNORECASE)


def profile_path(profile: str) -> Path:
    """`mock`, `cpu`, `gpu`, ... from configs/, or the path of a YAML file."""
    path = Path(profile)
    if path.suffix in {".yaml", ".yml"}:
        if not path.is_file():
            raise SettingsError(f"no profile at {path}: give the path of a YAML file, or one of {', '.join(profiles())}")
        return path
    path = CONFIGS / f"{profile}.yaml"
    if not path.is_file():
        raise SettingsError(f"no profile named {profile!r}: there are {', '.join(profiles())}; or give the path of a YAML file")
    return path


def profiles() -> list[str]:
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def load(profile: str | None = None) -> Settings:
    """Resolve the configuration; `profile` defaults to FIRESIDE_PROFILE, then to mock. Raises SettingsError with every fault at once."""
    path = profile_path(profile or os.environ.get("FIRESIDE_PROFILE") or "mock")
    content = _merged(_read(path), from_environment(os.environ))
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        raise SettingsError(f"{path} and FIRESIDE_* do not make a configuration:\n" + "\n".join(_explain(error))) from error


def known_keys(model: type[BaseModel] = Settings) -> set[str]:
    """Every key with its dots: `text.mock.ttft`."""
    keys = set()
    for name, field in model.model_fields.items():
        keys.add(name)
        if _is_group(field.annotation):
            keys |= {f"{name}.{inner}" for inner in known_keys(field.annotation)}
    return keys


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The tree of keys that FIRESIDE_* make. Raises SettingsError for a variable that is no setting or holds no JSON where it has to."""
    tree: dict[str, Any] = {}
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX) or variable in LAUNCH_VARIABLES or _is_link(variable, text):
            continue
        place = variable.removeprefix(PREFIX).lower().split("__")
        if place[0] not in Settings.model_fields:
            raise SettingsError(f"{variable} is no setting{_nearest(place[0], Settings.model_fields)}")
        value = _parsed(variable, text, _type_at(place))
        if place[:2] == ["text", "env"] and len(place) > 2:  # names of environment variables
            place = ["text", "env", "__".join(place[2:]).upper()]
        for key in reversed(place):
            value = {key: value}
        tree = _merged(tree, value)
    return tree


def _is_link(variable: str, text: str) -> bool:
    return "__" not in variable and (bool(LINK.fullmatch(variable)) or (variable.endswith("_PORT") and "://" in text))


def masked(value: Any) -> Any:
    """Plain data for printing, without what is secret by its name."""
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {str(key): MASK if _secret(str(key), item) else masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return value if isinstance(value, int | float | str | None) else str(value)


def _secret(key: str, value: Any) -> bool:
    return bool(SECRET.search(key) and value and not isinstance(value, bool | dict | BaseModel))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = read_yaml(path.read_text(encoding="utf-8")) or {}
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: expected keys and values at the top, got {type(content).__name__}")
    return content


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = below.keys() & above.keys()
    inner = {key: _merged(below[key], above[key]) for key in both if isinstance(below[key], dict) and isinstance(above[key], dict)}
    return {**below, **above, **inner}


def _type_at(place: list[str]) -> Any:
    """What a key is to hold; text where there is no such key, as the validation then tells better."""
    kind: Any = Settings
    for key in place:
        if _is_group(kind):
            kind = kind.model_fields[key].annotation if key in kind.model_fields else str
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
        elif kind is not Any:
            kind = str
    return kind


def _parsed(variable: str, text: str, kind: Any) -> Any:
    if kind is Any:  # a free table's: as it would be in the profile
        try:
            return read_yaml(text)
        except yaml.YAMLError as error:
            raise SettingsError(f"{variable} is no YAML value: {error}") from error
    if not _is_group(kind) and get_origin(kind) not in (dict, tuple, Annotated):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        example = '["joe"]' if get_origin(kind) is tuple else '{"key": "value"}'
        raise SettingsError(f"{variable} is not JSON ({error}): lists and tables are given as JSON, e.g. {variable}='{example}'") from error


def _explain(error: ValidationError) -> Iterable[str]:
    for fault in error.errors():
        place, keys = fault["loc"], known_keys()
        if place[:1] == ("weights",) and len(place) > 2 and place[2] in ORIGINS:  # pydantic puts the entry's kind before its key
            keys = {f"weights.{place[1]}.{key}" for key in known_keys(ORIGINS[str(place[2])])}
            place = (*place[:2], *place[3:])
        name = ".".join(map(str, place))
        if fault["type"] == "extra_forbidden":
            yield f"  {name}: no such key{_nearest(name, keys)}"
        else:
            yield f"  {name or 'configuration'}: {fault['msg'].removeprefix('Value error, ')}{_came(name, fault.get('input'))}"


def _came(name: str, value: Any) -> str:
    """What came, unless it is the whole configuration."""
    return f" (got {masked({name: value})[name]!r:.200})" if name else ""


def _is_group(kind: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _nearest(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
