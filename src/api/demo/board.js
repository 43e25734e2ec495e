// A wall of squares, each the newest value of its key. Empty ones are keys that were removed.

const COLUMNS = 16;
const ROWS = 8;
const COLOURS = ['#e5484d', '#f5a524', '#30a46c', '#0090ff', '#8e4ec6'];

export function board(channel) {
  const palette = document.querySelector('#colours');
  const wall = document.querySelector('#board');
  const squares = new Map();
  let chosen = 0;

  // One more than there are colours: it clears.
  const swatches = [...COLOURS, null].map((colour, number) => {
    const swatch = document.createElement('button');
    swatch.type = 'button';
    swatch.role = 'radio';
    swatch.ariaChecked = String(number === chosen);
    swatch.ariaLabel = colour ? `colour ${number + 1}` : 'clear';
    if (colour) swatch.style.setProperty('--colour', colour);
    else swatch.textContent = '✕';
    swatch.addEventListener('click', () => {
      chosen = number;
      swatches.forEach((one, at) => (one.ariaChecked = String(at === chosen)));
    });
    return swatch;
  });
  palette.append(...swatches);

  for (let row = 0; row < ROWS; row++) {
    for (let column = 0; column < COLUMNS; column++) {
      const key = `${column}.${row}`;
      const square = document.createElement('button');
      square.type = 'button';
      square.ariaLabel = `square ${key}`;
      square.addEventListener('click', () => paint(key, square));
      squares.set(key, square);
      wall.append(square);
    }
  }

  const show = (key, colour) => {
    const square = squares.get(key);
    if (!square) return;
    // Only colours of ours: what others publish is not put into a style as it is.
    if (COLOURS.includes(colour)) square.style.setProperty('--colour', colour);
    else square.style.removeProperty('--colour');
  };

  async function paint(key, square) {
    square.classList.add('pending');
    try {
      await (COLOURS[chosen] ? channel.publish(COLOURS[chosen], { key }) : channel.remove(key));
    } catch (error) {
      square.title = error.message;
    } finally {
      square.classList.remove('pending');
    }
  }

  const values = channel.keyed();
  values.on('change', (changes) => {
    for (const { key, message } of changes) show(key, message?.data);
  });
}
