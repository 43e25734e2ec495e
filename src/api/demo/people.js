// Who has the page open: an avatar for each tab with the node that it is attached to, and where its cursor is.

import { presence } from '/demo/sdk/presence.js';

const at = (id) => document.getElementById(id);

/** A colour of its own for each tab: its id is the same for everybody. */
const colourOf = (id) => `hsl(${[...id].reduce((hash, letter) => (hash * 31 + letter.charCodeAt(0)) % 360, 7)} 65% 45%)`;

/** What others say is text, and short. */
const nameOf = ({ state }) => (typeof state?.name === 'string' && state.name.trim().slice(0, 32)) || 'somebody';

export function people(client, channel) {
  const here = presence(client, channel);
  const name = at('name');
  const avatars = at('people');
  const cursors = at('cursors');

  const list = () => {
    const items = [...here.clients].map(([id, one]) => {
      const item = document.createElement('li');
      item.style.setProperty('--colour', colourOf(id));
      item.dataset.self = String(id === here.self);
      item.dataset.uncertain = String(here.uncertain.has(one.node));
      const initial = document.createElement('b');
      initial.textContent = [...nameOf(one)][0].toUpperCase();
      const node = document.createElement('small');
      node.textContent = one.node;
      item.title = id === here.self ? `${nameOf(one)}: this tab` : nameOf(one);
      item.append(initial, node);
      return item;
    });
    avatars.replaceChildren(...items);
    avatars.dataset.stale = String(here.isStale);
    // Whoever has left has no cursor.
    for (const cursor of [...cursors.children]) if (!here.clients.has(cursor.dataset.client)) cursor.remove();
  };

  const point = ({ client: one, data }) => {
    if (one.id === here.self || !Number.isFinite(data?.x) || !Number.isFinite(data?.y)) return;
    let cursor = [...cursors.children].find((known) => known.dataset.client === one.id);
    if (!cursor) {
      cursor = document.createElement('span');
      cursor.dataset.client = one.id;
      cursor.style.setProperty('--colour', colourOf(one.id));
      cursors.append(cursor);
    }
    cursor.textContent = nameOf(one);
    // Parts of the page, for windows differ in size.
    const { width, height } = cursors.getBoundingClientRect();
    cursor.style.setProperty('transform', `translate(${data.x * width}px, ${data.y * height}px)`);
  };

  here.on('change', list);
  here.on('ephemeral', point);
  here.on('error', (error) => (avatars.title = error.message));
  here.watch();
  const enter = () => here.enter({ name: name.value }).catch((error) => (avatars.title = error.message));
  enter();
  name.addEventListener('change', enter);
  addEventListener('pointermove', ({ clientX, clientY }) => {
    const { left, top, width, height } = cursors.getBoundingClientRect();
    if (here.isEntered) here.broadcast({ x: (clientX - left) / width, y: (clientY - top) / height });
  });
}
