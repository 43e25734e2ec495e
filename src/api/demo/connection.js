// How the connection is doing, and a way to cut it.

const LABELS = { idle: 'not started', connecting: 'connecting', connected: 'connected', reconnecting: 'reconnecting', closed: 'closed' };
const TRANSPORTS = { webtransport: 'WebTransport', websocket: 'WebSocket' };

/** How often what is measured is shown. */
const SHOW_MS = 500;

const at = (id) => document.getElementById(id);

export function connection(client, channel) {
  let received = 0;
  let lost = 0;
  const show = (state) => {
    at('state').value = state.kind === 'reconnecting' ? `reconnecting: ${state.error}` : LABELS[state.kind];
    at('state').dataset.kind = state.kind;
    at('transport').textContent = state.kind === 'connected' ? TRANSPORTS[state.transport] : '–';
    at('node').textContent = state.kind === 'connected' ? state.node : '–';
    at('cut').disabled = state.kind !== 'connected';
  };
  client.on('state', show);
  show(client.state);

  channel.subscribe(() => received++);
  channel.on('subscribed', ({ outcome }) => {
    const { kind } = outcome;
    at('outcome').textContent = { resumed: 'resumed', rewound: `rewound ${outcome.count}`, discontinuity: outcome.reason }[kind];
  });
  channel.on('discontinuity', () => lost++);
  channel.on('skipped', ({ count }) => (lost += count));

  setInterval(() => {
    const { rttMs } = client.stats;
    at('rtt').textContent = rttMs === null ? '–' : `${rttMs.toFixed(1)} ms`;
    const { position } = channel;
    at('position').textContent = position ? `${position.epoch}:${position.seq}` : '–';
    at('position').title = at('position').textContent;
    at('received').textContent = received.toLocaleString();
    at('lost').textContent = lost.toLocaleString();
  }, SHOW_MS);

  // From outside, as a network would: the node is told to end this session, and the client finds its way back.
  at('cut').addEventListener('click', async () => {
    const { state } = client;
    if (state.kind !== 'connected') return;
    at('cut').disabled = true;
    await fetch('/v1/disconnect', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ session: state.session, returns: true, reason: 'cut from the demo page' }),
    });
  });
}
