// The demo: a client, a chat, a board, who is here, and what there is to know about the connection.

import { Client } from '/demo/sdk/client.js';
import { board } from './board.js';
import { chat } from './chat.js';
import { connection } from './connection.js';
import { flood } from './flood.js';
import { Meter } from './meter.js';
import { people } from './people.js';

const settings = new URLSearchParams(location.search);
const transport = settings.get('transport');
const client = new Client({
  agent: 'starling-demo',
  worker: settings.get('worker') !== 'off',
  ...(transport ? { transports: [transport] } : {}),
});
const lobby = client.channel('demo:lobby', { since: { messages: 100 } });
const meter = new Meter(document.querySelector('#plot'), document.querySelector('#rate'));

connection(client, lobby);
chat(lobby, meter);
flood(client, lobby);
board(client.channel('board:wall'));
people(client, 'demo:lobby');

const port = location.port === '4433' ? '' : ` --url ${location.origin}`;
document.querySelector('#command').textContent = `./starling pub demo:lobby hello${port}`;
