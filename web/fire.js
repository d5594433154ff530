// The fire in the arch: sparks of light that rise and cool, more and higher the louder it is.

const MOODS = {
  ended: {rate: 0.6, height: 0.5, drift: 0.3},
  connecting: {rate: 0.8, height: 0.6, drift: 0.4},
  listening: {rate: 1, height: 0.68, drift: 0.35},
  hearing: {rate: 1.1, height: 0.62, drift: 0.8},
  thinking: {rate: 0.9, height: 0.8, drift: 1.5},
  speaking: {rate: 1.5, height: 0.8, drift: 0.5},
};
const BIRTHS = 110; // a second
const COLOURS = [[255, 236, 170], [255, 178, 84], [255, 120, 40], [196, 48, 20], [92, 18, 12]];

export class Fire {
  #sparks = [];
  #frame = 0;
  #last = 0;
  #owed = 0;
  #level = 0;
  #still = matchMedia("(prefers-reduced-motion: reduce)");

  /** `burning` tells {state, level} at each frame. */
  constructor(canvas, burning) {
    this.canvas = canvas;
    this.burning = burning;
    this.paint = canvas.getContext("2d");
  }

  light() {
    if (this.#frame) return;
    this.#warm();
    const draw = (now) => {
      this.#frame = requestAnimationFrame(draw);
      if (this.#still.matches) this.#glow();
      else this.#burn(Math.min(0.05, (now - this.#last) / 1000));
      this.#last = now;
    };
    this.#frame = requestAnimationFrame(draw);
  }

  rest() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  /** It burns already when one comes in. */
  #warm() {
    for (let step = 0; step < 90; step++) this.#move(1 / 30);
  }

  #burn(seconds) {
    this.#move(seconds);
    this.#begin();
    this.#bed(0.5 + 0.5 * this.#level);
    this.paint.globalCompositeOperation = "lighter";
    for (const spark of this.#sparks) this.#draw(spark);
    this.#logs(0.35 + 0.65 * this.#level);
  }

  /** Nothing moves: only the bed of embers, brighter the louder it is. */
  #glow() {
    const {state, level} = this.burning();
    this.#begin();
    this.#bed(MOODS[state].rate * (0.6 + 0.4 * level));
    this.#logs(level);
  }

  #begin() {
    this.paint.globalCompositeOperation = "source-over";
    this.paint.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  #bed(strength) {
    const {width, height} = this.canvas;
    const light = this.paint.createRadialGradient(width / 2, height * 0.92, 0, width / 2, height * 0.92, width * 0.75);
    light.addColorStop(0, `rgb(255 140 50 / ${0.55 * strength})`);
    light.addColorStop(0.35, `rgb(190 60 20 / ${0.3 * strength})`);
    light.addColorStop(1, "rgb(60 10 5 / 0)");
    this.paint.fillStyle = light;
    this.paint.fillRect(0, 0, width, height);
  }

  /** Two logs, one over the other, which glow where they lie in the fire. */
  #logs(glow) {
    this.paint.globalCompositeOperation = "source-over";
    this.#log(0.955, -0.05, 0.62, glow);
    this.#log(0.905, 0.16, 0.5, glow);
  }

  #log(y, turn, length, glow) {
    const {width, height} = this.canvas;
    const [half, thick] = [(width * length) / 2, width * 0.075];
    this.paint.save();
    this.paint.translate(width / 2, height * y);
    this.paint.rotate(turn);
    const bark = this.paint.createLinearGradient(0, -thick / 2, 0, thick / 2);
    bark.addColorStop(0, `rgb(${150 + 100 * glow} ${62 + 60 * glow} 22)`);
    bark.addColorStop(0.3, "rgb(70 30 16)");
    bark.addColorStop(1, "rgb(24 13 9)");
    this.paint.fillStyle = bark;
    this.paint.beginPath();
    this.paint.roundRect(-half, -thick / 2, 2 * half, thick, thick / 2);
    this.paint.fill();
    this.paint.restore();
  }

  #move(seconds) {
    const {state, level} = this.burning();
    const mood = MOODS[state];
    this.#level += (level - this.#level) * Math.min(1, 9 * seconds);
    this.#owed += BIRTHS * mood.rate * (1 + this.#level) * seconds;
    for (; this.#owed >= 1; this.#owed -= 1) this.#sparks.push(this.#born(mood));
    for (const spark of this.#sparks) spark.age += seconds;
    this.#sparks = this.#sparks.filter(({age, life}) => age < life);
  }

  #born({height, drift}) {
    const middle = Math.random() + Math.random() - 1;
    const reach = (height + 0.4 * this.#level) * (1 - 0.75 * Math.abs(middle) ** 1.3);
    const life = 0.9 + 0.9 * Math.random();
    const size = 0.075 + 0.085 * Math.random();
    return {age: 0, life, middle, size, reach: reach * (0.7 + 0.6 * Math.random()), drift: drift * (Math.random() - 0.5)};
  }

  #draw({age, life, middle, reach, drift, size}) {
    const {width, height} = this.canvas;
    const t = age / life;
    const x = width * (0.5 + 0.31 * middle * (1 - 0.6 * t) + 0.22 * drift * t * t + 0.012 * Math.sin(9 * age + 20 * middle));
    const y = height * (0.87 - 0.86 * reach * t ** 0.85);
    const radius = width * size * (1 - 0.72 * t) * Math.min(1, 8 * t + 0.35);
    this.paint.fillStyle = shade(this.paint, x, y, radius, t);
    this.paint.beginPath();
    this.paint.arc(x, y, radius, 0, 2 * Math.PI);
    this.paint.fill();
  }
}

function shade(paint, x, y, radius, t) {
  const [red, green, blue] = colour(t);
  const alpha = 0.17 * (1 - t) ** 0.7;
  const light = paint.createRadialGradient(x, y, 0, x, y, radius);
  light.addColorStop(0, `rgb(${red} ${green} ${blue} / ${alpha})`);
  light.addColorStop(1, `rgb(${red} ${green} ${blue} / 0)`);
  return light;
}

function colour(t) {
  const at = Math.min(t * (COLOURS.length - 1), COLOURS.length - 1.001);
  const [from, to, share] = [COLOURS[Math.floor(at)], COLOURS[Math.floor(at) + 1], at % 1];
  return from.map((value, index) => Math.round(value + (to[index] - value) * share));
}
