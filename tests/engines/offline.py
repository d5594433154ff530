"""Run in an empty network namespace: serve the cpu profile and ask it for text, for speech, and for what it hears in that."""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.servers import serve

SIOCSIFFLAGS, IFF_UP = 0x8914, 1


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


def main() -> None:
    raise_loopback()
    if not is_cut_off():
        raise SystemExit("the network is not cut: run this under `unshare -rn`")
    with serve("cpu", ready_within=400) as server:
        question = {"model": "gpt-4o-mini", "temperature": 0, "max_tokens": 20}
        question["messages"] = [{"role": "user", "content": "What is the capital of France?"}]
        answer = httpx.post(f"{server.url}/v1/chat/completions", json=question, timeout=120).json()
        print(answer["choices"][0]["message"]["content"])
        speech = {"model": "tts-1", "input": "No network is needed.", "response_format": "wav", "seed": 1}
        audio = httpx.post(f"{server.url}/v1/audio/speech", json=speech, timeout=120).content
        print(f"{len(audio) / 48000:.1f} seconds of speech")
        files, form = {"file": ("spoken.wav", audio)}, {"model": "whisper-1"}
        heard = httpx.post(f"{server.url}/v1/audio/transcriptions", files=files, data=form, timeout=120).json()
        print(heard["text"])


if __name__ == "__main__":
    main()
