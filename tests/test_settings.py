import re
from pathlib import Path
from typing import get_args

import pytest

import settings
from models.errors import SettingsError


def profile(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return str(path)


def test_the_environment_wins_over_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESIDE_TEXT__MOCK__TTFT", "0.5")
    loaded = settings.load(profile(tmp_path, "text: {mock: {ttft: 0.1, tokens_per_second: 7}}"))
    assert (loaded.text.mock.ttft, loaded.text.mock.tokens_per_second) == (0.5, 7)


def test_an_unknown_key_is_refused_with_its_nearest(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"speech\.devise: no such key; did you mean speech\.device\?"):
        settings.load(profile(tmp_path, "speech: {devise: cpu}"))


def test_an_unknown_variable_is_refused_with_its_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESIDE_SPEACH__DEVICE", "cpu")
    with pytest.raises(SettingsError, match="FIRESIDE_SPEACH__DEVICE is no setting; did you mean speech"):
        settings.load("mock")


def test_what_kubernetes_tells_of_a_service_of_that_name_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    told = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_3000_TCP_ADDR", "GPU_SERVICE_HOST", "GPU_PORT_3000_TCP_PROTO")
    for name in told:
        monkeypatch.setenv(f"FIRESIDE_{name}", "10.0.0.1")
    for name in ("PORT", "PORT_3000_TCP", "GPU_PORT"):
        monkeypatch.setenv(f"FIRESIDE_{name}", "tcp://10.0.0.1:3000")
    assert settings.load("mock").server.port == 3000
    monkeypatch.setenv("FIRESIDE_PORT", "8080")
    with pytest.raises(SettingsError, match="FIRESIDE_PORT is no setting"):
        settings.load("mock")


def test_an_unknown_nested_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESIDE_SPEECH__DEVISE", "cpu")
    with pytest.raises(SettingsError, match=r"did you mean speech\.device"):
        settings.load("mock")


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.load(profile(tmp_path, "server: {port: 99999}\ntext: {engine: gpt}"))
    assert "server.port" in str(caught.value)
    assert "text.engine" in str(caught.value)


@pytest.mark.parametrize("content", ["- a list", "a: [", "text"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(SettingsError, match=r"mine\.yaml"):
        settings.load(profile(tmp_path, content))


def test_a_missing_profile_names_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"no profile named 'cup': there are cpu.*mock"):
        settings.load("cup")


def test_nothing_to_serve_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nothing to serve"):
        settings.load(profile(tmp_path, "text: {engine: none}\nspeech: {engine: none}"))


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings.load("mock").server.port = 1  # type: ignore[misc]


def test_a_list_or_table_in_the_environment_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESIDE_SPEECH__MODELS", "joe")
    with pytest.raises(SettingsError, match=r"""FIRESIDE_SPEECH__MODELS is not JSON.*FIRESIDE_SPEECH__MODELS='\["joe"\]'"""):
        settings.load("mock")
    monkeypatch.setenv("FIRESIDE_SPEECH__MODELS", '["joe"]')
    monkeypatch.setenv("FIRESIDE_TEXT__MOCK", '{"ttft": 1}')
    monkeypatch.setenv("FIRESIDE_WEIGHTS", '{"small": {"hub": "me/small"}}')
    monkeypatch.setenv("FIRESIDE_WEIGHTS__SMALL__REVISION", "1234")
    loaded = settings.load("mock")
    assert (loaded.speech.models, loaded.text.mock.ttft) == (("joe",), 1)
    assert loaded.weights == {"small": settings.Hub(hub="me/small", revision="1234")}


def test_an_environment_for_vllm_keeps_its_capitals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESIDE_TEXT__ENV__VLLM_CPU_KVCACHE_SPACE", "4")
    monkeypatch.setenv("FIRESIDE_TEXT__ENV", '{"no_proxy": "*"}')
    loaded = settings.load(profile(tmp_path, "text: {env: {VLLM_CPU_KVCACHE_SPACE: '2', OTHER: a}}"))
    assert loaded.text.env == {"VLLM_CPU_KVCACHE_SPACE": "4", "OTHER": "a", "no_proxy": "*"}


def test_arguments_from_the_environment_are_read_as_in_a_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESIDE_TEXT__ARGS__ENFORCE_EAGER", "true")
    monkeypatch.setenv("FIRESIDE_TEXT__ARGS__GPU_MEMORY_UTILIZATION", "0.5")
    monkeypatch.setenv("FIRESIDE_TEXT__ARGS__DTYPE", "float32")
    monkeypatch.setenv("FIRESIDE_TEXT__ARGS__OVERRIDE_GENERATION_CONFIG__TEMPERATURE", "0")
    args = {"enforce_eager": True, "gpu_memory_utilization": 0.5, "dtype": "float32", "override_generation_config": {"temperature": 0}}
    assert settings.load("mock").text.args == args


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"1: 2", "  1: Keys should be strings"),
        (b"text: {args: {1: 2}}", "text.args.1"),
        (b"text: {model: \xff}", "not UTF-8"),
        (b"text: {model: '\x01'}", "not YAML"),
    ],
)
def test_a_profile_of_odd_content_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(SettingsError) as refusal:
        settings.load(str(tmp_path / "mine.yaml"))
    assert told in str(refusal.value)


def test_an_address_is_a_number(tmp_path: Path) -> None:
    assert settings.load(profile(tmp_path, "server: {host: localhost}")).server.host == "127.0.0.1"
    assert settings.load(profile(tmp_path, "server: {host: '::1'}")).server.host == "::1"
    with pytest.raises(SettingsError, match=r"server\.host: expected an IP address.*got 'my-machine'"):
        settings.load(profile(tmp_path, "server: {host: my-machine}"))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:3000"),
        ("::", "http://[::1]:3000"),
        ("10.1.2.3", "http://10.1.2.3:3000"),
    ],
)
def test_a_program_on_this_machine_finds_the_server(host: str, url: str) -> None:
    assert settings.Server(host=host).url == url


def test_the_margin_has_room_for_vllms_own_context(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"memory\.margin_gib: .*0\.6"):
        settings.load(profile(tmp_path, "memory: {margin_gib: 0.1}"))


def test_coqui_needs_a_model(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"speech\.models: coqui needs at least one model"):
        settings.load(profile(tmp_path, "speech: {engine: coqui, models: []}"))
    assert settings.load(profile(tmp_path, "speech: {engine: none, models: []}")).speech.models == ()


@pytest.mark.parametrize(
    ("entry", "lines"),
    [
        ("{packge: p, file: f}", ["weights.a.package: Field required", "weights.a.packge: no such key; did you mean weights.a.package?"]),
        ("{hub: me/a, revison: v1}", ["weights.a.revison: no such key; did you mean weights.a.revision?"]),
        ("{coqui: tts_models/en/a/b, file: f}", ["weights.a.file: no such key"]),
        ("{}", ["weights.a: expected package and file, files, hub, or coqui"]),
        ("me/a", ["weights.a: expected package and file, files, hub, or coqui (got 'me/a')"]),
    ],
)
def test_a_typo_in_an_entry_of_weights_gets_its_nearest(tmp_path: Path, entry: str, lines: list[str]) -> None:
    with pytest.raises(SettingsError) as refusal:
        settings.load(profile(tmp_path, f"weights: {{a: {entry}}}"))
    told = [line.strip() for line in str(refusal.value).splitlines()[1:]]
    assert len(told) == len(lines)
    assert all(line.startswith(start) for line, start in zip(told, lines, strict=True))


def test_a_refusal_tells_no_secret(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"text\.env\.HF_TOKEN") as refusal:
        settings.load(profile(tmp_path, "text: {env: {HF_TOKEN: [hunter2]}, engine: {api_key: hunter2}}"))
    assert "hunter2" not in str(refusal.value)


def test_every_key_has_a_description() -> None:
    fields = [(part.__name__, name, field) for part in settings.Part.__subclasses__() for name, field in part.model_fields.items()]
    assert [f"{part}.{name}" for part, name, field in fields if not field.description] == []


def test_the_audio_models_that_openai_s_clients_name_are_aliases() -> None:
    from openai.types.realtime.realtime_session_create_request import RealtimeSessionCreateRequest
    from openai.types.shared.chat_model import ChatModel

    named = {name for kind in get_args(RealtimeSessionCreateRequest.model_fields["model"].annotation) for name in get_args(kind)}
    undated = {
        name for name in named | set(get_args(ChatModel)) if re.search("audio|realtime", name) and not re.search(r"\d{4}-\d\d", name)
    }
    assert undated <= {*settings.Settings().aliases.text, *settings.Settings().aliases.realtime}
    assert "gpt-audio-mini" in undated


LAUGHS = "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9))])
MERGES = "\n".join(["a0: &a0 {x: 1}", *(f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9))])


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (LAUGHS, "aliases stand for more than"),
        (MERGES, "merge keys stand for more than"),
        ("text: {args: &a {b: *a}}", "aliases stand for more than"),
        ("text: " + "[" * 3000, "nested too deeply"),
        ("text: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
    ],
    ids=["laughs", "merges", "itself", "deep", "code"],
)
def test_a_profile_that_is_no_plain_data_is_refused_at_once(tmp_path: Path, content: str, word: str) -> None:
    with pytest.raises(SettingsError, match=f"is not YAML: (.|\n)*{word}"):
        settings.load(profile(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("text: {engine: none}\nserver: {port: 1}\n'text': {}\n", "line 3 has the key 'text' again, which is in line 1"),
        ("weights:\n  a: {hub: me/a}\n  a: {hub: me/b}\n", "line 3 has the key 'a' again, which is in line 2"),
    ],
)
def test_a_key_that_comes_twice_is_refused(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(SettingsError, match=rf"mine\.yaml is not YAML: {told}: make them one"):
        settings.load(profile(tmp_path, content))


def test_a_key_may_replace_what_a_merge_brings(tmp_path: Path) -> None:
    text = "weights:\n  a: &a {hub: me/a, revision: v1}\n  b: &b {<<: *a, revision: v2}\n  c: {<<: *b, <<: *a, hub: me/c, revision: v3}\n"
    loaded = settings.load(profile(tmp_path, text)).weights
    assert loaded == {name: settings.Hub(hub=f"me/{hub}", revision=f"v{n}") for n, (name, hub) in enumerate(("aa", "ba", "cc"), 1)}


def test_a_variable_is_no_way_around_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESIDE_TEXT__ARGS__X", "&a [*a]")
    with pytest.raises(SettingsError, match="FIRESIDE_TEXT__ARGS__X is no YAML value"):
        settings.load("mock")
