/** Tokens that the nodes of these tests accept, and some that they do not. */

import { createHmac } from 'node:crypto';
import { SECRET } from './node.ts';

/** What of a token the tests choose: its end, in seconds. */
export interface Claims {
  exp: number;
}

/** A token of one subject that may do anything a client does. */
export const token = (claims: Claims): string => signed(claims, SECRET);

/** The same, by somebody who does not have the key. */
export const forged = (claims: Claims): string => signed(claims, `not ${SECRET}`);

function signed(claims: Claims, secret: string): string {
  const capabilities = [{ channels: '*', operations: ['publish', 'subscribe', 'history'] }];
  const parts = [
    { alg: 'HS256', typ: 'JWT' },
    { sub: 'ada', ...claims, starling: { capabilities } },
  ];
  const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}
