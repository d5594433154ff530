"""Ask the model, read its answer while it comes, and keep it as sound. Needs: pip install openai"""

import base64
import os
import sys
import wave

from openai import OpenAI

url, key = os.environ.get("FIRESIDE_URL", "http://localhost:3000"), os.environ.get("FIRESIDE_API_KEY", "none")
client = OpenAI(base_url=f"{url}/v1", api_key=key)
question = " ".join(sys.argv[1:]) or "What is the capital of France?"

answer = client.chat.completions.create(
    model="gpt-4o-mini",
    messages=[{"role": "user", "content": question}],
    modalities=["text", "audio"],
    audio={"voice": "alloy", "format": "pcm16"},
    stream=True,
)
with wave.open("answer.wav", "wb") as file:
    file.setparams((1, 2, 24000, 0, "NONE", ""))
    for chunk in answer:
        audio = chunk.choices[0].delta.audio if chunk.choices else None
        if audio and audio.transcript:
            print(audio.transcript, end="", flush=True)
        if audio and audio.data:
            file.writeframes(base64.b64decode(audio.data))
print("\nwritten to answer.wav")
