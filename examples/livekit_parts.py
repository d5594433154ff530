"""LiveKit's LLM, TTS and STT classes with Fireside behind them, as an AgentSession takes them, here without a room.

A question from a WAV file, or a written one, and the answer as WAV. Needs: pip install livekit-agents livekit-plugins-openai
"""

import asyncio
import os
import sys
import wave

from livekit import rtc
from livekit.agents.llm import ChatContext
from livekit.plugins import openai

url, key = os.environ.get("FIRESIDE_URL", "http://localhost:3000"), os.environ.get("FIRESIDE_API_KEY", "none")
local = {"base_url": f"{url}/v1", "api_key": key}
stt = openai.STT(**local, model="whisper-1", use_realtime=False)
llm = openai.LLM(**local, model="gpt-4o-mini")
tts = openai.TTS(**local, model="tts-1", voice="alloy", response_format="wav")


async def question() -> str:
    if not sys.argv[1:]:
        return "What is the capital of France?"
    with wave.open(sys.argv[1]) as file:
        frame = rtc.AudioFrame(file.readframes(-1), file.getframerate(), file.getnchannels(), file.getnframes())
    heard = await stt.recognize([frame])
    return heard.alternatives[0].text


async def main() -> None:
    context = ChatContext.empty()
    context.add_message(role="user", content=await question())
    answer = ""
    async with llm.chat(chat_ctx=context) as chunks:
        async for chunk in chunks:
            answer += (chunk.delta and chunk.delta.content) or ""
    print(answer)
    with wave.open("answer.wav", "wb") as file:
        file.setparams((1, 2, tts.sample_rate, 0, "NONE", ""))
        async with tts.synthesize(answer) as sounds:
            async for sound in sounds:
                file.writeframes(sound.frame.data)
    print("written to answer.wav")


asyncio.run(main())
