// Who has the page open: an avatar for each tab with the node that it is attached to, and where its cursor is.

import { presence } from '/demo/sdk/presence.js';

/** Avatars that are drawn; how many more there are is told. */
const AVATARS_MAX = 24;

/** A cursor that rests for so long steps back: it may be over what somebody wants to read. */
const REST_MS = 3_000;

const at = (id) => document.getElementById(id);

/** A colour of its own for each tab: its id is the same for everybody. All are dark enough for white letters. */
const colourOf = (id) => `oklch(55% 0.15 ${Number.parseInt(id.slice(0, 4), 16) % 360})`;

/** What others say is text, and short. */
const nameOf = ({ state }) => (typeof state?.name === 'string' && state.name.trim().slice(0, 32)) || 'somebody';

const within = (part) => Math.min(Math.max(part, 0), 1);

export function people(client, channel) {
  const here = presence(client, channel);
  const name = at('name');
  const avatars = at('people');
  const layer = at('cursors');
  /** By the client's id: what is drawn, and what has it step back. */
  const cursors = new Map();

  const avatar = (one) => {
    const item = document.createElement('li');
    const isSelf = one.id === here.self;
    const isUncertain = here.uncertain.has(one.node);
    item.style.setProperty('--colour', colourOf(one.id));
    item.dataset.self = String(isSelf);
    item.dataset.uncertain = String(isUncertain);
    item.title = `${nameOf(one)}${isSelf ? ', this tab' : ''}, at node ${one.node}${isUncertain ? ', which may be dead' : ''}`;
    const initial = document.createElement('b');
    initial.textContent = [...nameOf(one)][0].toUpperCase();
    const node = document.createElement('small');
    node.textContent = one.node;
    item.append(initial, node);
    return item;
  };

  const list = () => {
    // This tab before the others, and those in one order wherever they are shown.
    const rank = ({ id }) => (id === here.self ? '' : id);
    const all = [...here.clients.values()].sort((one, other) => (rank(one) < rank(other) ? -1 : 1));
    const items = all.slice(0, AVATARS_MAX).map(avatar);
    const more = here.count.clients - items.length;
    if (more > 0) {
      const item = document.createElement('li');
      item.textContent = `+${more.toLocaleString()}`;
      items.push(item);
    }
    avatars.replaceChildren(...items);
    avatars.dataset.stale = String(here.isStale);
    for (const [id, { label }] of cursors) {
      const one = here.clients.get(id);
      if (one) label.textContent = nameOf(one);
      else {
        // Whoever has left has no cursor.
        label.remove();
        cursors.delete(id);
      }
    }
  };

  const point = ({ client: one, data }) => {
    if (one.id === here.self || !Number.isFinite(data?.x) || !Number.isFinite(data?.y)) return;
    let cursor = cursors.get(one.id);
    if (!cursor) {
      cursor = { label: document.createElement('span'), rest: undefined };
      cursor.label.textContent = nameOf(one);
      cursor.label.style.setProperty('--colour', colourOf(one.id));
      cursors.set(one.id, cursor);
      layer.append(cursor.label);
    }
    const { label } = cursor;
    // Parts of the page, for windows differ in size; and a label at the edge stays on it.
    const x = Math.min(within(data.x) * layer.clientWidth, layer.clientWidth - label.offsetWidth);
    const y = Math.min(within(data.y) * layer.clientHeight, layer.clientHeight - label.offsetHeight);
    label.style.setProperty('transform', `translate(${x}px, ${y}px)`);
    label.dataset.resting = 'false';
    clearTimeout(cursor.rest);
    cursor.rest = setTimeout(() => (label.dataset.resting = 'true'), REST_MS);
  };

  here.on('change', list);
  here.on('ephemeral', point);
  here.on('error', (error) => (avatars.title = error.message));
  here.watch();
  const enter = () => here.enter({ name: name.value }).catch((error) => (avatars.title = error.message));
  enter();
  name.addEventListener('change', enter);
  addEventListener('pointermove', ({ clientX, clientY }) => {
    if (here.isEntered) here.broadcast({ x: clientX / layer.clientWidth, y: clientY / layer.clientHeight });
  });
}
