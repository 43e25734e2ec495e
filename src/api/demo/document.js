// A document: rich text that all who have the page open write at once, who they are and where, what is saved, and versions of it.

import { Client } from '/demo/sdk/client.js';
import { DocProvider, Doc, richText } from '/demo/sdk/document.js';
import { toolbar } from './toolbar.js';
import { trouble } from './trouble.js';
import { versions } from './versions.js';

const at = (id) => document.getElementById(id);

const LABELS = { idle: 'not started', connecting: 'connecting', connected: 'connected', reconnecting: 'offline', closed: 'closed' };
const TRANSPORTS = { webtransport: 'WebTransport', websocket: 'WebSocket' };

const settings = new URLSearchParams(location.search);
const name = settings.get('name') || 'demo';
const transport = settings.get('transport');
const client = new Client({
  agent: 'starling-demo',
  worker: settings.get('worker') !== 'off',
  ...(transport ? { transports: [transport] } : {}),
});
const provider = new DocProvider(client, name, new Doc(), { offline: true });
const me = { name: `Guest ${(provider.doc.clientID % 900) + 100}`, hue: provider.doc.clientID % 360 };
const editor = richText({ element: at('editor'), provider, user: me });

at('document').textContent = name;
document.title = `${name}, a Starling document`;
toolbar(at('tools'), editor);
versions(name);

/** What others say is text, and short. */
const nameOf = (user) => (typeof user?.name === 'string' && user.name.trim().slice(0, 32)) || 'somebody';
const hueOf = (user) => (Number.isFinite(user?.hue) ? user.hue % 360 : 0);

const people = () => {
  const items = [...provider.awareness.getStates()].filter(([, { user }]) => user).map(([id, { user }]) => {
    const item = document.createElement('li');
    item.style.setProperty('--colour', `oklch(55% 0.15 ${hueOf(user)})`);
    item.dataset.self = String(id === provider.doc.clientID);
    item.title = nameOf(user);
    const initial = document.createElement('b');
    initial.textContent = nameOf(user).replace('Guest ', '').slice(0, 3);
    item.append(initial);
    return item;
  });
  at('people').replaceChildren(...items.slice(0, 24));
};
provider.awareness.on('change', people);
people();

const saved = () => {
  const { unsaved, state, kept } = provider;
  at('saved').dataset.saved = String(unsaved === 0 && state !== 'failed');
  if (state === 'failed') at('saved').value = 'not saved';
  else if (unsaved === 0) at('saved').value = 'saved';
  else if (state === 'open') at('saved').value = 'saving …';
  else at('saved').value = kept ? 'kept in this browser, not saved yet' : 'not saved yet';
};
provider.on('unsaved', saved);
provider.on('kept', saved);
provider.on('state', saved);
saved();

provider.on('refused', trouble);
provider.on('error', (error) => {
  trouble(error);
  if (provider.state === 'failed') editor.setEditable(false);
});
provider.on('rights', ({ mayWrite }) => editor.setEditable(mayWrite));

const show = (state) => {
  at('state').value = LABELS[state.kind];
  at('state').dataset.kind = state.kind;
  at('transport').textContent = state.kind === 'connected' ? TRANSPORTS[state.transport] : '–';
  at('node').textContent = state.kind === 'connected' ? state.node : '–';
  if (state.kind === 'connected') trouble();
};
client.on('state', show);
show(client.state);

// As a network would: the node is told to end this session, and the client finds its way back.
at('cut').addEventListener('click', async () => {
  if (client.state.kind !== 'connected') return;
  await fetch('/v1/disconnect', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ session: client.state.session, returns: true, reason: 'cut from the demo page' }),
  });
});
