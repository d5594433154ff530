"""Write down what is said in a file: WAV, MP3, FLAC and the like. Needs: pip install openai"""

import os
import sys
from pathlib import Path

from openai import OpenAI

url, key = os.environ.get("FIRESIDE_URL", "http://localhost:3000"), os.environ.get("FIRESIDE_API_KEY", "none")
client = OpenAI(base_url=f"{url}/v1", api_key=key)

print(client.audio.transcriptions.create(model="whisper-1", file=Path(sys.argv[1])).text)
