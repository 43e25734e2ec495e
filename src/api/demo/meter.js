// How many messages come, drawn.

const BIN_MS = 250;
const BINS = 120;

export class Meter {
  #canvas;
  #label;
  #bins = new Array(BINS).fill(0);
  #current = 0;

  constructor(canvas, label) {
    this.#canvas = canvas;
    this.#label = label;
    setInterval(() => this.#turn(), BIN_MS);
  }

  count() {
    this.#current++;
  }

  #turn() {
    this.#bins.push(this.#current);
    this.#bins.shift();
    this.#current = 0;
    const second = this.#bins.slice(-1000 / BIN_MS).reduce((sum, bin) => sum + bin, 0);
    this.#label.textContent = second.toLocaleString();
    if (document.visibilityState === 'visible') requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    const canvas = this.#canvas;
    const scale = devicePixelRatio;
    const width = canvas.clientWidth * scale;
    const height = canvas.clientHeight * scale;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const context = canvas.getContext('2d');
    context.clearRect(0, 0, width, height);
    context.fillStyle = getComputedStyle(canvas).color;
    const most = Math.max(4, ...this.#bins);
    const step = width / BINS;
    this.#bins.forEach((bin, at) => {
      const bar = bin === 0 ? scale : Math.max(2 * scale, (bin / most) * height);
      context.globalAlpha = bin === 0 ? 0.25 : 1;
      context.fillRect(at * step, height - bar, Math.max(1, step - scale), bar);
    });
  }
}
