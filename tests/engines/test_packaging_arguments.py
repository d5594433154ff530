"""The list that the profiles are checked against without vLLM is vLLM's own."""

from __future__ import annotations

from pathlib import Path

import pytest

# torch warns of itself when vLLM imports it.
pytestmark = [pytest.mark.engines, pytest.mark.filterwarnings("default::DeprecationWarning:torch")]


def test_the_recorded_arguments_are_those_of_vllm() -> None:
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    recorded = (Path(__file__).parent.parent / "vllm_arguments.txt").read_text().split()
    assert sorted({action.dest for action in make_arg_parser(FlexibleArgumentParser())._actions}) == recorded
