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

  /** Asks for it; `take` gets each piece of 20 ms, and `lost` is called when there is no microphone any more. Raises Refused. */
  static async open(take, lost) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Refused("Browsers hand out the microphone on https and on localhost only: open this page by one of these.");
    }
    const stream = await navigator.mediaDevices.getUserMedia({audio: WANTED}).catch((error) => {
      throw new Refused(REASONS[error.name] ?? unusable(error));
    });
    const microphone = new Microphone(stream, lost);
    await microphone.#listen(take).catch((error) => {
      microphone.close(); // or it stays switched on, unheard
      throw new Refused(unusable(error));
    });
    return microphone;
  }

  constructor(stream, lost) {
    this.stream = stream;
    for (const track of stream.getTracks()) track.onended = lost; // not by close
    this.context = new AudioContext({latencyHint: "interactive"});
  }

  async #listen(take) {
    await this.context.audioWorklet.addModule(new URL("microphone.worklet.js", import.meta.url));
    const capture = new AudioWorkletNode(this.context, "capture", {numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit"});
    capture.port.onmessage = ({data}) => take(this.muted ? data.fill(0) : data);
    this.context.createMediaStreamSource(this.stream).connect(capture);
    await this.context.resume();
  }

  close() {
    for (const track of this.stream.getTracks()) track.stop();
    this.context.close();
  }
}

const unusable = ({message}) => `The microphone cannot be used: ${message}`;
