"""Ask the model, and read its answer while it comes. Needs: pip install openai"""

import os
import sys

from openai import OpenAI

url, key = os.environ.get("FIRESIDE_URL", "http://localhost:3000"), os.environ.get("FIRESIDE_API_KEY", "none")
client = OpenAI(base_url=f"{url}/v1", api_key=key)
question = " ".join(sys.argv[1:]) or "What is the capital of France?"

for chunk in client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": question}], stream=True):
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
