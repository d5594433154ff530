"""A pipecat pipeline that hears, thinks and speaks with Fireside: a question from a WAV file, or a written one, and the answer as WAV.

Needs: pip install pipecat-ai[openai]
"""

import asyncio
import os
import sys
import wave

from pipecat.frames.frames import (
    EndFrame,
    InputAudioRawFrame,
    LLMContextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.openai.stt import OpenAISTTService
from pipecat.services.openai.tts import OpenAITTSService
from pipecat.workers.runner import WorkerRunner

url, key = os.environ.get("FIRESIDE_URL", "http://localhost:3000"), os.environ.get("FIRESIDE_API_KEY", "none")
local = {"base_url": f"{url}/v1", "api_key": key}


class Ask(FrameProcessor):
    """What was heard becomes a question."""

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame):
            print("heard:", frame.text)
            frame = LLMContextFrame(LLMContext([{"role": "user", "content": frame.text}]))
        await self.push_frame(frame, direction)


class Write(FrameProcessor):
    """The sound of the answer goes into a file; at its end the pipeline's work is done."""

    def __init__(self, path):
        super().__init__()
        self.file = wave.open(path, "wb")  # noqa: SIM115 (it is closed with the answer)
        self.file.setparams((1, 2, 24000, 0, "NONE", ""))

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self.file.writeframes(frame.audio)
        elif isinstance(frame, EndFrame):
            self.file.close()
        await self.push_frame(frame, direction)


def question():
    if not sys.argv[1:]:
        return [TranscriptionFrame("What is the capital of France?", "me", "now")]
    with wave.open(sys.argv[1]) as file:
        heard = InputAudioRawFrame(file.readframes(-1), file.getframerate(), file.getnchannels())
    return [VADUserStartedSpeakingFrame(), heard, VADUserStoppedSpeakingFrame()]


async def main():
    stt = OpenAISTTService(**local, settings=OpenAISTTService.Settings(model="whisper-1"))
    llm = OpenAILLMService(**local, settings=OpenAILLMService.Settings(model="gpt-4o-mini"))
    tts = OpenAITTSService(**local, settings=OpenAITTSService.Settings(model="tts-1", voice="alloy"))
    worker = PipelineWorker(Pipeline([stt, Ask(), llm, tts, Write("answer.wav")]))
    worker.set_reached_downstream_filter((TTSStoppedFrame,))

    @worker.event_handler("on_frame_reached_downstream")
    async def spoken(worker, frame):
        await worker.queue_frame(EndFrame())

    await worker.queue_frames(question())
    runner = WorkerRunner()
    await runner.add_workers(worker)
    await runner.run()
    print("written to answer.wav")


asyncio.run(main())
