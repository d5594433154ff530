"""One turn of a spoken conversation: a question from a WAV file (mono, 24 kHz), the answer into another.

Needs: pip install openai[realtime]
"""

import asyncio
import base64
import os
import sys
import wave

from openai import AsyncOpenAI

url, key = os.environ.get("FIRESIDE_URL", "http://localhost:3000"), os.environ.get("FIRESIDE_API_KEY", "none")
client = AsyncOpenAI(base_url=f"{url}/v1", api_key=key)
PCM = {"type": "audio/pcm", "rate": 24000}
SESSION = {"type": "realtime", "output_modalities": ["audio"], "audio": {"input": {"format": PCM, "turn_detection": None}}}


async def main() -> None:
    with wave.open(sys.argv[1]) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24000), "expected mono, 16 bit, 24 kHz"
        question = file.readframes(-1)
    async with client.realtime.connect(model="gpt-realtime") as connection:
        await connection.session.update(session=SESSION)
        for start in range(0, len(question), 9600):
            await connection.input_audio_buffer.append(audio=base64.b64encode(question[start : start + 9600]).decode())
        await connection.input_audio_buffer.commit()
        await connection.response.create()
        with wave.open("answer.wav", "wb") as file:
            file.setparams((1, 2, 24000, 0, "NONE", ""))
            async for event in connection:
                if event.type == "response.output_audio.delta":
                    file.writeframes(base64.b64decode(event.delta))
                elif event.type == "response.output_audio_transcript.delta":
                    print(event.delta, end="", flush=True)
                elif event.type == "error":
                    sys.exit(event.error.message)
                elif event.type == "response.done":
                    break
    print("\nwritten to answer.wav")


asyncio.run(main())
