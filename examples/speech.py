"""Speak a text into a file while it is made, so that a long one can be heard before it is complete. Needs: pip install openai"""

import os
import sys

from openai import OpenAI

url, key = os.environ.get("FIRESIDE_URL", "http://localhost:3000"), os.environ.get("FIRESIDE_API_KEY", "none")
client = OpenAI(base_url=f"{url}/v1", api_key=key)
text = " ".join(sys.argv[1:]) or "Good evening. The fire is lit. Sit down, it is late."

with client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input=text, response_format="mp3") as speech:
    speech.stream_to_file("speech.mp3")
print("written to speech.mp3")
