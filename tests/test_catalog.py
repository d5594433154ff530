import pytest

from models.base import Voice
from models.errors import UnknownModel, UnknownVoice
from voice.catalog import Catalog

JOE = Voice("joe", "joe", "en-US", 22050)
P225 = Voice("vctk/p225", "vctk", "en", 22050)
P226 = Voice("vctk/p226", "vctk", "en", 22050)
CATALOG = Catalog(
    (JOE, P225, P226),
    default_voice="vctk/p226",
    voice_aliases={"alloy": "", "nova": "joe"},
    model_aliases={"tts-1": "", "tts-1-hd": "vctk", "tts-2": "vctkk"},
)


@pytest.mark.parametrize(
    ("voice", "model", "found"),
    [
        (None, None, P226),
        (None, "tts-1", P226),
        ("alloy", "tts-1", P226),
        ("nova", None, JOE),
        ("joe", "joe", JOE),
        ("p225", "vctk", P225),
        ("vctk/p225", "tts-1", P225),
        (None, "joe", JOE),
        ("alloy", "joe", JOE),
        ("", "tts-1-hd", P226),
        ("p225", "tts-1-hd", P225),
    ],
)
def test_a_client_gets_the_voice_it_means(voice: str | None, model: str | None, found: Voice) -> None:
    assert CATALOG.find(voice, model) is found


def test_an_unknown_voice_is_told_what_there_is() -> None:
    with pytest.raises(UnknownVoice, match=r"unknown voice 'bob': expected one of joe, vctk/p225.*alloy"):
        CATALOG.find("bob")


def test_a_voice_of_another_model_is_unknown() -> None:
    for voice in ("joe", "nova"):
        with pytest.raises(UnknownVoice, match=rf"voice '{voice}' is one of the model joe, not of vctk: expected one of vctk/p225"):
            CATALOG.find(voice, "tts-1-hd")


def test_an_unknown_model_is_told_what_there_is() -> None:
    with pytest.raises(UnknownModel, match=r"`gpt-9` does not exist: expected one of joe, vctk, tts-1"):
        CATALOG.find(None, "gpt-9")


def test_an_alias_belongs_to_the_model_it_stands_for_and_one_that_stands_for_any_to_the_default_voices() -> None:
    assert CATALOG.aliases_of("vctk") == ("tts-1", "tts-1-hd")
    assert CATALOG.aliases_of("joe") == ()


def test_an_alias_of_a_model_that_is_not_loaded_names_the_setting() -> None:
    with pytest.raises(UnknownModel, match=r"aliases\.speech\.tts-2 names the model 'vctkk', which is not loaded: expected one of joe"):
        CATALOG.find(None, "tts-2")


def test_the_default_voice_may_be_a_speakers_name_alone() -> None:
    assert Catalog((JOE, P225, P226), "p226").find() is P226


def test_a_default_voice_that_is_not_loaded_is_told_and_is_no_other_voice() -> None:
    catalog = Catalog((JOE, P225), "p999", {"alloy": "", "nova": "bob"}, {"tts-1": ""})
    for voice, model in ((None, None), ("alloy", "tts-1"), (None, "vctk")):
        with pytest.raises(UnknownVoice, match=r"speech\.default_voice names the voice 'p999', which is not loaded"):
            catalog.find(voice, model)
    assert catalog.find("p225") is P225
    assert catalog.aliases_of("joe") == ("tts-1",)


def test_an_alias_of_a_voice_that_is_not_loaded_names_the_setting() -> None:
    with pytest.raises(UnknownVoice, match=r"aliases\.voices\.nova names the voice 'bob'"):
        Catalog((JOE, P225), voice_aliases={"nova": "bob"}).find("nova")


def test_every_name_that_leads_nowhere_is_known_at_once() -> None:
    assert not list(Catalog((JOE,), "joe", {"alloy": "", "nova": "joe"}, {"tts-1": "joe"}).faults())
    faults = list(Catalog((JOE,), "bob", {"nova": "bob"}, {"tts-1": "bob"}).faults())
    assert [fault.split()[0] for fault in faults] == ["speech.default_voice", "aliases.voices.nova", "aliases.speech.tts-1"]
