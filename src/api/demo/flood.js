// Publishes as fast as it may, and accounts for every message.

const MESSAGES = 5_000;

/** Publishes without a result at a time: enough that the node sets the pace. */
const WAITING_MAX = 512;

export function flood(client, channel) {
  const button = document.querySelector('#flood');
  const told = document.querySelector('#flooded');
  let run = null;

  channel.subscribe(({ data }) => {
    if (run && data?.flood === run.mark) run.received++;
  });

  button.addEventListener('click', async () => {
    button.disabled = true;
    run = { mark: crypto.randomUUID(), sent: 0, acknowledged: 0, failed: 0, received: 0 };
    const began = performance.now();
    const show = () => {
      const seconds = (performance.now() - began) / 1000;
      told.hidden = false;
      told.textContent =
        `${run.sent.toLocaleString()} sent, ${run.acknowledged.toLocaleString()} acknowledged, ` +
        `${run.received.toLocaleString()} received, ${run.failed} failed in ${seconds.toFixed(1)} s`;
    };
    const shown = setInterval(show, 100);
    const waiting = new Set();
    for (; run.sent < MESSAGES; run.sent++) {
      const published = channel
        .publish({ flood: run.mark, number: run.sent })
        .then(() => run.acknowledged++, () => run.failed++)
        .finally(() => waiting.delete(published));
      waiting.add(published);
      if (waiting.size >= WAITING_MAX) await Promise.race(waiting);
    }
    await Promise.all(waiting);
    // What was acknowledged last is on its way here.
    const patience = performance.now() + 5_000;
    while (run.received < run.acknowledged && performance.now() < patience) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    clearInterval(shown);
    show();
    button.disabled = client.state.kind === 'closed';
  });
}
