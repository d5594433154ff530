"""Requests whose answers have the same shape on vLLM and on the mock. `$MODEL` stands for the served name; a case is a path and a body."""

from __future__ import annotations

from typing import Any

Case = tuple[str, dict[str, Any] | bytes]

CHAT = "/v1/chat/completions"
COMPLETION = "/v1/completions"
HELLO = {"model": "$MODEL", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4, "temperature": 0, "seed": 1}
ONCE = {"model": "$MODEL", "prompt": "Once upon a time", "max_tokens": 4, "temperature": 0, "seed": 1}
# Met within a token, after others, by the recorded model ("Hello! I'm") as by the mock ("clever"), so that both send the same events.
CHAT_STOP = {"max_tokens": 60, "stop": ["I", "ev"]}
STOP = {"max_tokens": 60, "stop": [".", "I"]}
CONVERSATION = [
    {"role": "system", "content": "You are brief."},
    {"role": "user", "content": "Say hello."},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "Once more."},
]
STREAM = {"stream": True}
USAGE = {"stream": True, "stream_options": {"include_usage": True}}
RUNNING_USAGE = {"stream": True, "stream_options": {"include_usage": True, "continuous_usage_stats": True}}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Rome", "Oslo"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
TOOLS = {"tools": [WEATHER], "max_tokens": 120}
NAMED = {"tool_choice": {"type": "function", "function": {"name": "weather"}}}
SCHEMA = {
    "type": "object",
    "properties": {"sky": {"enum": ["blue", "grey"]}, "windy": {"type": "boolean"}},
    "required": ["sky", "windy"],
    "additionalProperties": False,
}
JSON_SCHEMA = {"response_format": {"type": "json_schema", "json_schema": {"name": "sky", "schema": SCHEMA}}, "max_tokens": 120}


def _chat(**more: Any) -> Case:
    return CHAT, HELLO | more


def _completion(**more: Any) -> Case:
    return COMPLETION, ONCE | more


READS = ("/v1/models", "/version")

ANSWERS: dict[str, Case] = {
    "chat": _chat(),
    "chat_n": _chat(n=2, temperature=1),
    "chat_stop": _chat(**CHAT_STOP),
    "chat_conversation": _chat(messages=CONVERSATION),
    "chat_no_model": _chat(model=None),
    "chat_parts": _chat(messages=[{"role": "user", "content": [{"type": "text", "text": "Say hello."}]}]),
    "chat_schema": _chat(**JSON_SCHEMA),
    "chat_tool": _chat(**TOOLS, **NAMED),
    "chat_tool_required": _chat(**TOOLS, tool_choice="required"),
    "completion": _completion(),
    "completion_n": _completion(n=2, temperature=1),
    "completion_stop": _completion(**STOP),
    "completion_prompts": _completion(prompt=["Once upon a time", "Far away"]),
    "completion_ids": _completion(prompt=[101, 102, 103]),
    "completion_echo": _completion(echo=True),
    "tokenize_chat": ("/tokenize", {"model": "$MODEL", "messages": HELLO["messages"]}),
    "tokenize": ("/tokenize", {"model": "$MODEL", "prompt": "Once upon a time"}),
}

STREAMS: dict[str, Case] = {
    "chat_stream": _chat(**STREAM),
    "chat_stream_n": _chat(**STREAM, n=2, temperature=1),
    "chat_stream_stop": _chat(**STREAM, **CHAT_STOP),
    "chat_stream_usage": _chat(**USAGE),
    "chat_stream_running_usage": _chat(**RUNNING_USAGE),
    "chat_stream_schema": _chat(**STREAM, **JSON_SCHEMA),
    "chat_stream_tool": _chat(**STREAM, **TOOLS, **NAMED),
    "completion_stream": _completion(**STREAM),
    "completion_stream_n": _completion(**STREAM, n=2, temperature=1),
    "completion_stream_stop": _completion(**STREAM, **STOP),
    "completion_stream_usage": _completion(**USAGE),
    "completion_stream_running_usage": _completion(**RUNNING_USAGE),
    "completion_stream_echo": _completion(**STREAM, echo=True),
    "completion_stream_prompts": _completion(**STREAM, prompt=["Once upon a time", "Far away"]),
}

ERRORS: dict[str, Case] = {
    "unknown_model": _chat(model="nobody"),
    "unknown_model_completion": _completion(model="nobody"),
    "bad_json": (CHAT, b'{"model": '),
    "not_an_object": (CHAT, b"[]"),
    "no_body": (CHAT, b""),
    "no_messages": (CHAT, {"model": "$MODEL"}),
    "empty_messages": _chat(messages=[]),
    "messages_text": _chat(messages="hello"),
    "message_without_role": _chat(messages=[{"content": "hello"}]),
    "image": _chat(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]),
    "content_number": _chat(messages=[{"role": "user", "content": 7}]),
    "temperature_text": _chat(temperature="hot"),
    "temperature_negative": _chat(temperature=-1),
    "top_p_zero": _chat(top_p=0),
    "top_p_high": _chat(top_p=2),
    "max_tokens_text": _chat(max_tokens="many"),
    "max_tokens_high": _chat(max_tokens=9000),
    "max_tokens_zero": _chat(max_tokens=0),
    "n_zero": _chat(n=0),
    "n_greedy": _chat(n=2, temperature=0),
    "n_text": _chat(n="two"),
    "stop_number": _chat(stop=7),
    "stop_empty": _chat(stop=[""]),
    "stream_text": _chat(stream="perhaps"),
    "seed_text": _chat(seed="abc"),
    "presence_penalty_high": _chat(presence_penalty=3),
    "stream_options_without_stream": _chat(stream_options={"include_usage": True}),
    "tools_empty": _chat(tools=[]),
    "tool_choice_without_tools": _chat(tool_choice="required"),
    "tool_choice_unknown": _chat(**TOOLS, tool_choice={"type": "function", "function": {"name": "tides"}}),
    "tool_choice_odd": _chat(**TOOLS, tool_choice="sometimes"),
    "schema_missing": _chat(response_format={"type": "json_schema"}),
    "response_format_odd": _chat(response_format={"type": "yaml"}),
    "no_prompt": (COMPLETION, {"model": "$MODEL"}),
    "empty_prompt": _completion(prompt=""),
    "prompt_number": _completion(prompt=7),
    "completion_n_zero": _completion(n=0),
    "completion_max_tokens_text": _completion(max_tokens="many"),
    "completion_stream_options_without_stream": _completion(stream_options={"include_usage": True}),
    "too_long": _chat(messages=[{"role": "user", "content": "word " * 9000}]),
    "too_long_stream": _chat(**STREAM, messages=[{"role": "user", "content": "word " * 9000}]),
    "too_long_completion": _completion(prompt="word " * 9000),
}
