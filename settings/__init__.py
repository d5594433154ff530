"""What can be configured: a YAML profile, then FIRESIDE_* from the environment (`__` between levels).

Typed and frozen; unknown keys are refused.

`docs/settings.md` is made from these classes: their descriptions are the documentation.
"""

from settings.access import Access, Key
from settings.engines import Fault, Listening, MockListening, MockSpeech, MockText, Speech, Text
from settings.limits import Limits
from settings.load import CONFIGS, MASK, from_environment, known_keys, load, masked, profile_path, profiles
from settings.origins import CoquiName, Files, Hub, Origin, Package
from settings.part import Part
from settings.probe import Probe
from settings.seeing import Logs, Traces
from settings.server import Server
from settings.whole import Aliases, Memory, Settings

__all__ = [
    "CONFIGS",
    "MASK",
    "Access",
    "Aliases",
    "CoquiName",
    "Fault",
    "Files",
    "Hub",
    "Key",
    "Limits",
    "Listening",
    "Logs",
    "Memory",
    "MockListening",
    "MockSpeech",
    "MockText",
    "Origin",
    "Package",
    "Part",
    "Probe",
    "Server",
    "Settings",
    "Speech",
    "Text",
    "Traces",
    "from_environment",
    "known_keys",
    "load",
    "masked",
    "profile_path",
    "profiles",
]
