// The microphone, as samples of 24 kHz. A browser hands it out on https and on localhost only.

import {Refused} from "./server.js";

const WANTED = {echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1};
const REASONS = {
  NotAllowedError: "The microphone was not allowed. Allow it for this page in the browser, and start again.",
  NotFoundError: "No microphone was found. Plug one in, and start again.",
  NotReadableError: "The microphone is in use by another program. Close that, and start again.",
};

export class Microphone {
  muted = false;

  /** Asks for it; `take` gets each piece of 20 ms. Raises Refused. */
  static async open(take) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Refused("Browsers hand out the microphone on https and on localhost only: open this page by one of these.");
    }
    const stream = await navigator.mediaDevices.getUserMedia({audio: WANTED}).catch((error) => {
      throw new Refused(REASONS[error.name] ?? `The microphone cannot be used: ${error.message}`);
    });
    return new Microphone(stream).#listen(take);
  }

  constructor(stream) {
    this.stream = stream;
    this.context = new AudioContext({latencyHint: "interactive"});
  }

  async #listen(take) {
    await this.context.audioWorklet.addModule(new URL("microphone.worklet.js", import.meta.url));
    const capture = new AudioWorkletNode(this.context, "capture", {numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit"});
    capture.port.onmessage = ({data}) => take(this.muted ? data.fill(0) : data);
    this.context.createMediaStreamSource(this.stream).connect(capture);
    await this.context.resume();
    return this;
  }

  close() {
    for (const track of this.stream.getTracks()) track.stop();
    this.context.close();
  }
}
