// A chat over one channel: what is sent is shown at once, and again as what became of it.

/** Entries kept on the page. */
const ENTRIES_MAX = 300;

const list = document.querySelector('#messages');

export function chat(channel, meter) {
  const name = document.querySelector('#name');
  const text = document.querySelector('#text');
  /** What this page sent and has not seen come back, by the mark it carries. */
  const pending = new Map();

  name.value = sessionStorage.getItem('name') ?? `Guest ${100 + Math.floor(Math.random() * 900)}`;
  name.addEventListener('change', () => sessionStorage.setItem('name', name.value));

  channel.subscribe((message) => {
    meter.count();
    const said = read(message);
    if (!said) return;
    const own = pending.get(said.mark);
    pending.delete(said.mark);
    own?.remove();
    append(entry(said.name, said.text, message.timeMs));
  });
  channel.on('discontinuity', ({ reason }) => append(news(`messages are missing here: ${reason.replaceAll('_', ' ')}`)));
  channel.on('skipped', ({ count }) => append(news(`${count} messages were left out: this page was slow`)));
  channel.on('error', (error) => append(news(error.message)));

  document.querySelector('#composer').addEventListener('submit', async (event) => {
    event.preventDefault();
    const said = { name: name.value.trim() || 'Guest', text: text.value, mark: crypto.randomUUID() };
    text.value = '';
    const shown = entry(said.name, said.text, Date.now());
    shown.classList.add('pending');
    pending.set(said.mark, shown);
    append(shown);
    try {
      await channel.publish(said);
      shown.classList.remove('pending');
    } catch (error) {
      pending.delete(said.mark);
      shown.classList.replace('pending', 'failed');
      shown.append(` (not sent: ${error.message})`);
    }
  });
}

/** What a message says; nothing if it is one of a flood. Whatever comes from elsewhere is shown as it is. */
function read({ data, format }) {
  if (format === 'bytes') return { name: 'somebody', text: `${data.length} bytes` };
  if (data && typeof data === 'object' && 'flood' in data) return undefined;
  if (data && typeof data.text === 'string') return { name: String(data.name ?? 'somebody'), text: data.text, mark: data.mark };
  return { name: 'terminal', text: typeof data === 'string' ? data : JSON.stringify(data) };
}

function entry(name, text, timeMs) {
  const item = document.createElement('li');
  const who = document.createElement('b');
  const when = document.createElement('time');
  who.textContent = name;
  when.textContent = new Date(timeMs).toLocaleTimeString();
  when.dateTime = new Date(timeMs).toISOString();
  item.append(when, who, text);
  return item;
}

function news(text) {
  const item = document.createElement('li');
  item.className = 'news';
  item.textContent = text;
  return item;
}

function append(item) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(item);
  while (list.childElementCount > ENTRIES_MAX) list.firstElementChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}
