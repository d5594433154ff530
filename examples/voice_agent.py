"""An agent that hears a WAV file (mono, 16 bit), uses a tool if it likes, and answers aloud. Needs: pip install openai-agents[voice]"""

import asyncio
import os
import sys
import wave

import numpy as np
from agents import Agent, OpenAIChatCompletionsModel, function_tool
from agents.voice import AudioInput, OpenAIVoiceModelProvider, SingleAgentVoiceWorkflow, VoicePipeline, VoicePipelineConfig
from openai import AsyncOpenAI

url, key = os.environ.get("FIRESIDE_URL", "http://localhost:3000"), os.environ.get("FIRESIDE_API_KEY", "none")
client = AsyncOpenAI(base_url=f"{url}/v1", api_key=key)


@function_tool
def light_the_fire() -> str:
    """Light the fire in the living room."""
    return "It is lit."


async def main() -> None:
    with wave.open(sys.argv[1]) as file:
        question = AudioInput(np.frombuffer(file.readframes(-1), np.int16), frame_rate=file.getframerate())
    model = OpenAIChatCompletionsModel(model="gpt-4o-mini", openai_client=client)
    agent = Agent(name="Fireside", instructions="Be brief: you are heard, not read.", model=model, tools=[light_the_fire])
    config = VoicePipelineConfig(model_provider=OpenAIVoiceModelProvider(openai_client=client), tracing_disabled=True)
    pipeline = VoicePipeline(workflow=SingleAgentVoiceWorkflow(agent), stt_model="whisper-1", tts_model="tts-1", config=config)
    answer = await pipeline.run(question)
    with wave.open("answer.wav", "wb") as file:
        file.setparams((1, 2, 24000, 0, "NONE", ""))
        async for event in answer.stream():
            if event.type == "voice_stream_event_audio" and event.data is not None:
                file.writeframes(event.data.tobytes())
            elif event.type == "voice_stream_event_error":
                raise event.error
    print("written to answer.wav")


asyncio.run(main())
