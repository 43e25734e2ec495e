// Versions of the document: kept by name, listed, restored.

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
  const trouble = (error) => {
    at('trouble').hidden = false;
    at('trouble').textContent = error.message;
  };

  const item = ({ version, name: label, made_ms: made }) => {
    const line = document.createElement('li');
    const text = document.createElement('span');
    text.textContent = label ?? 'made by itself';
    text.title = text.textContent;
    const time = document.createElement('time');
    time.textContent = new Date(made).toLocaleTimeString();
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Restore';
    button.addEventListener('click', () => ask(`/${version}/restore`, { method: 'POST' }).then(list, trouble));
    line.append(text, time, button);
    return line;
  };
  const list = async () => {
    const { versions: all = [] } = (await ask('?limit=20')) ?? {};
    at('versions').replaceChildren(...all.map(item));
  };

  at('keep').addEventListener('submit', async (event) => {
    event.preventDefault();
    const field = at('version');
    try {
      await ask('', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: field.value }),
      });
      field.value = '';
      await list();
    } catch (error) {
      trouble(error);
    }
  });
  list().catch(trouble);
  setInterval(() => list().catch(() => {}), LOOK_MS);
}
