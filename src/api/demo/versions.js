// Versions of the document: kept by name, listed, restored.

import { trouble } from './trouble.js';

/** How often the list is looked at: versions are made by themselves, and by others. */
const LOOK_MS = 5_000;

const at = (id) => document.getElementById(id);

export function versions(name) {
  const base = `/v1/documents/${encodeURIComponent(name)}/versions`;
  const ask = async (path, options) => {
    const answer = await fetch(base + path, options);
    const body = await answer.json().catch(() => undefined);
    if (!answer.ok && answer.status !== 404) throw new Error(body?.error?.message ?? answer.statusText);
    return body;
  };
  const item = ({ version, name: label, made_ms: made }) => {
    const line = document.createElement('li');
    const text = document.createElement('span');
    text.textContent = label ?? 'made by itself';
    text.title = text.textContent;
    const time = document.createElement('time');
    const when = new Date(made);
    const isToday = when.toDateString() === new Date().toDateString();
    time.textContent = isToday ? when.toLocaleTimeString() : when.toLocaleDateString();
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Restore';
    button.addEventListener('click', () => restore(version, button));
    line.append(text, time, button);
    return line;
  };
  const list = async () => {
    const { versions: all = [] } = (await ask('?limit=20')) ?? {};
    at('versions').replaceChildren(...all.map(item));
  };

  const keep = (name) =>
    ask('', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name }),
    });
  const attempt = async (act) => {
    try {
      await act();
      trouble();
      await list();
    } catch (error) {
      trouble(error);
    }
  };
  /** What is there now is kept first, to go back to. */
  const restore = async (version, button) => {
    button.disabled = true;
    await attempt(async () => {
      await keep('before restoring');
      await ask(`/${version}/restore`, { method: 'POST' });
    });
    button.disabled = false;
  };

  at('keep').addEventListener('submit', (event) => {
    event.preventDefault();
    const field = at('version');
    attempt(async () => {
      await keep(field.value);
      field.value = '';
    });
  });
  list().catch(trouble);
  setInterval(() => list().catch(() => {}), LOOK_MS);
}
