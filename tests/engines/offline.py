"""Run in an empty network namespace: serve the cpu profile, ask it for all that it does, end it amid a long generation."""

from __future__ import annotations

import asyncio
import fcntl
import json
import signal
import socket
import struct
import sys
from pathlib import Path

import httpx
import psutil
from openai import AsyncOpenAI
from websockets.asyncio.client import connect

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.realtime import Client, pcm
from tests.servers import Server, serve
from tests.watching import TALKATIVE

SIOCSIFFLAGS, IFF_UP = 0x8914, 1
QUESTION = "What is the capital of France?"


def raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14s", b"lo", IFF_UP, b""))


def is_cut_off() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documentation: there is no route even to try it
        except OSError:
            return True
    return False


def chat(server: Server) -> str:
    body = {"model": "gpt-4o-mini", "temperature": 0, "max_tokens": 20, "messages": [{"role": "user", "content": QUESTION}]}
    answer = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=120).raise_for_status().json()
    return str(answer["choices"][0]["message"]["content"])


def speak(server: Server, text: str, kind: str) -> bytes:
    body = {"model": "tts-1", "input": text, "response_format": kind, "seed": 1}
    return httpx.post(f"{server.url}/v1/audio/speech", json=body, timeout=120).raise_for_status().content


def transcribe(server: Server, audio: bytes) -> str:
    files, form = {"file": ("spoken.wav", audio)}, {"model": "whisper-1"}
    answer = httpx.post(f"{server.url}/v1/audio/transcriptions", files=files, data=form, timeout=120).raise_for_status().json()
    return str(answer["text"])


async def speak_on_the_socket(server: Server) -> int:
    """Bytes of audio until the text is done."""
    received = 0
    async with connect(f"ws{server.url[4:]}/ws", max_size=None) as ws:
        await ws.send(json.dumps({"type": "speak", "text": "Nobody listens.", "events": True, "seed": 1}))
        async for frame in ws:
            if isinstance(frame, bytes):
                received += len(frame)
            elif json.loads(frame)["type"] == "done":
                break
    return received


async def converse(server: Server, question: bytes) -> str:
    """What is said to a spoken question."""
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as sdk, sdk.realtime.connect(model="gpt-realtime") as connection:
        client = Client(connection, patience=120)
        await client.until("session.created")
        await client.configure(max_output_tokens=30)
        await client.hear(question + pcm(1.0, loud=False))
        await client.until("response.done")
        return str(client.of("response.output_audio_transcript.done")[0]["transcript"])


def session(server: Server) -> None:
    print("chat:", chat(server))
    audio = speak(server, "No network is needed.", "wav")
    print(f"speech: {len(audio)} bytes")
    print("heard:", transcribe(server, audio))
    print(f"socket: {asyncio.run(speak_on_the_socket(server))} bytes")
    print("realtime:", asyncio.run(converse(server, speak(server, QUESTION, "pcm"))))


def end(server: Server) -> None:
    """SIGTERM amid a generation that is longer than the time it is given."""
    body = {"model": "gpt-4o-mini", "prompt": "Count:", "max_tokens": 1900, "ignore_eos": True, "stream": True}
    family = psutil.Process(server.process.pid).children(recursive=True)
    with httpx.stream("POST", f"{server.url}/v1/completions", json=body, timeout=60) as answer:
        lines = answer.iter_lines()
        next(lines)
        server.process.send_signal(signal.SIGTERM)
        data = [line for line in lines if line]
    print("told:", json.loads(data[-2].removeprefix("data: "))["error"]["message"])
    print("ended with", server.process.wait(60))
    print("left:", psutil.wait_procs(family, timeout=60)[1])


def main() -> None:
    raise_loopback()
    if not is_cut_off():
        raise SystemExit("the network is not cut: run this under `unshare -rn`")
    with serve("cpu", ready_within=500, FIRESIDE_TEXT__SHUTDOWN_TIMEOUT="1", **TALKATIVE) as server:
        session(server)
        end(server)


if __name__ == "__main__":
    main()
