"""Every import from `vllm.entrypoints`: vLLM's own argument parser, and its OpenAI app over an engine of ours.

These names move between versions of vLLM: tests/engines/test_vllm.py says so first.
Importing this file imports vLLM (seconds): do it in a thread, after the environment is set.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import functools
import json
import re
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, NoReturn

import vllm.entrypoints.generate.api_router  # init_app_state imports them on the loop otherwise: a second's pause for everyone
import vllm.entrypoints.generate.structured_decisions.api_router
import vllm.entrypoints.scale_out.factories  # noqa: F401
from vllm.entrypoints.launchers.api_server.app_state import init_app_state
from vllm.entrypoints.launchers.app import build_app
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.entrypoints.launchers.launcher import validate_api_server_args
from vllm.reasoning import ReasoningParserManager
from vllm.tool_parsers import ToolParserManager
from vllm.utils.argparse_utils import FlexibleArgumentParser

from models.base import Receive, Scope, Send
from models.errors import SettingsError

# One truth for each fact: these are said elsewhere in the profile.
ELSEWHERE = {
    "model": "text.model",
    "model_tag": "text.model",
    "served_model_name": "aliases.text",
    "shutdown_timeout": "text.shutdown_timeout",
    "host": "server.host",
    "port": "server.port",
}
# For vLLM's own HTTP server and its launcher, which do not run here: accepting them would be a promise we break.
LAUNCHER = re.compile(
    r"api_key|api_server_count|config|enable_ssl_refresh|headless|root_path|uds"
    r"|disable_access_log_for_endpoints|disable_uvicorn_access_log|(data_parallel|dp)_supervisor_\w+|(grpc|h11|ssl|uvicorn)(_\w+)?"
)


class _Parser(FlexibleArgumentParser):  # type: ignore[misc]  # vLLM is not seen by the type checker
    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"text.args: {message}")


@functools.cache
def _parser() -> _Parser:
    parser = _Parser(prog="text.args", add_help=False)
    make_arg_parser(parser)
    return parser


def parse(arguments: Mapping[str, Any], **own: Any) -> argparse.Namespace:
    """vLLM's namespace for `arguments` (names with underscores, values as in YAML) and our `own`, which may use any name.

    Raises SettingsError for an unknown name, naming the nearest, and for a value that vLLM does not take.
    """
    actions = {action.dest: action for action in _parser()._actions}
    for name in arguments:
        _refuse(name, actions)
    words = [word for name, value in {**arguments, **own}.items() for word in _words(actions[name], value)]
    args: argparse.Namespace = _parser().parse_args(words)
    _check(args)
    return args


def _refuse(name: str, known: Mapping[str, argparse.Action]) -> None:
    if name in ELSEWHERE:
        raise SettingsError(f"text.args.{name}: set {ELSEWHERE[name]} instead")
    if LAUNCHER.fullmatch(name):
        raise SettingsError(f"text.args.{name} is for vLLM's own HTTP server, which Fireside replaces; remove it")
    if name not in known:
        usable = [known_name for known_name in known if not LAUNCHER.fullmatch(known_name) and known_name not in ELSEWHERE]
        near = difflib.get_close_matches(name.replace("-", "_"), usable, n=1)
        raise SettingsError(f"text.args.{name} is no argument of vLLM" + (f"; did you mean {near[0]}?" if near else ""))


def _words(action: argparse.Action, value: Any) -> list[str]:
    """One argument as it would stand on vLLM's command line."""
    flag = action.option_strings[0]
    if value is None:
        return []
    if action.nargs == 0:
        return _switch(action, value)
    if isinstance(value, list | tuple) and action.nargs in ("+", "*"):
        return [flag, *(item if isinstance(item, str) else json.dumps(item) for item in value)]
    # With "=", as a value may begin with a dash.
    return [f"{flag}={value if isinstance(value, str) else json.dumps(value)}"]


def _switch(action: argparse.Action, value: Any) -> list[str]:
    if not isinstance(value, bool):
        raise SettingsError(f"text.args.{action.dest}: expected true or false, got {value!r}")
    if value:
        return [action.option_strings[0]]
    return [word for word in action.option_strings if word.startswith("--no-")][:1]


def _check(args: argparse.Namespace) -> None:
    """What vLLM's server checks before it loads, and the plugins it imports first."""
    if args.tool_parser_plugin:
        ToolParserManager.import_tool_parser(args.tool_parser_plugin)
    if args.reasoning_parser_plugin:
        ReasoningParserManager.import_reasoning_parser(args.reasoning_parser_plugin)
    try:
        validate_parsed_serve_args(args)
        validate_api_server_args(args)
    except (KeyError, TypeError, ValueError, FileNotFoundError) as error:
        raise SettingsError(f"text.args: {error.args[0] if error.args else error}") from error


class _Server:
    """What vLLM's error handlers know as their HTTP server: they set `should_exit` when they find the engine dead."""

    def __init__(self, on_death: Callable[[], None]) -> None:
        self._on_death = on_death

    @property
    def should_exit(self) -> bool:
        return False

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        if value:
            self._on_death()


class OpenAIApp:
    """vLLM's OpenAI routes over an engine that is ours, with the app's lifespan, which nobody else runs."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.described: dict[str, Any] = app.openapi_schema
        self._lifespan = AsyncExitStack()

    @classmethod
    async def over(cls, engine: Any, args: argparse.Namespace, on_death: Callable[[], None]) -> OpenAIApp:
        """Build the app. `on_death` is called, on the loop, when a request finds the engine dead."""
        tasks = await engine.get_supported_tasks()
        # A second of building routes and schemas: not on the loop.
        app = await asyncio.to_thread(_build, args, tasks, engine.model_config)
        await init_app_state(engine, app.state, args, tasks)
        app.state.server = _Server(on_death)
        self = cls(app)
        # Among others, this freezes the heap for the garbage collector: shorter pauses between tokens.
        await self._lifespan.enter_async_context(app.router.lifespan_context(app))
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def close(self) -> None:
        await self._lifespan.aclose()
        # It has called its task off and does not wait: that holds the engine for its turn, its end and whoever hears of that.
        for _ in range(3):
            await asyncio.sleep(0)


def _build(args: argparse.Namespace, tasks: Any, model: Any) -> Any:
    """With its OpenAPI page made."""
    app = build_app(args, tasks, model)
    app.openapi()
    return app
