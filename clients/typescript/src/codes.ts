/** The numbers of the protocol by name: `protocol/vectors/codes.json` keeps them together. */

const CLOSE = {
  1000: 'normal',
  4400: 'protocol_error',
  4401: 'unauthorized',
  4403: 'forbidden_origin',
  4406: 'unsupported_version',
  4409: 'kicked',
  4413: 'frame_too_large',
  4500: 'internal',
  4501: 'draining',
  4502: 'slow',
  4503: 'overloaded',
  4504: 'silent',
  4505: 'token_expired',
  4506: 'reconnect',
  4507: 'rebalanced',
  4508: 'hello_timeout',
} as const;

// A bundle that uses none of the names drops them.
// @__NO_SIDE_EFFECTS__
const words = (text: string): string[] => text.split(' ');

// By number from 1, and from 100.
const REFUSED = words(
  'bad_request unknown_namespace bad_channel_name forbidden payload_too_large too_many_channels serial_gap outcome_unknown not_attached key_mismatch too_many_keys no_history serial_skipped unauthorized store_not_shared not_entered documents_off too_many_documents bad_update',
);
const REFUSED_FOR_NOW = words(
  'busy rate_limited insufficient_replicas unavailable draining slot_full quarantined internal',
);
const REASONS = words(
  'window_exceeded node_restarted expired no_history truncated position_ahead forked all_copies_lost unknown_epoch forbidden',
);

/** Why a position cannot be continued from. A newer server may have more than are listed. */
export type Reason =
  | 'window_exceeded'
  | 'node_restarted'
  | 'expired'
  | 'no_history'
  | 'truncated'
  | 'position_ahead'
  | 'forked'
  | 'all_copies_lost'
  | 'unknown_epoch'
  | 'forbidden'
  | 'other';

/** Why messages were left out for this reader. */
export type SkipReason = 'slow' | 'superseded' | 'other';

/** What the server does when this reader is behind. */
export type Policy = 'recover' | 'latest' | 'drop' | 'disconnect';

// Numbers with a meaning to the rules.
export const FORBIDDEN = 4;
export const PAYLOAD_TOO_LARGE = 5;
export const SERIAL_GAP = 7;
export const OUTCOME_UNKNOWN = 8;
export const NOT_ATTACHED = 9;
export const SERIAL_SKIPPED = 13;
export const BAD_UPDATE = 19;
export const NORMAL = 1000;
export const PROTOCOL_ERROR = 4400;
export const UNAUTHORIZED = 4401;
export const SILENT = 4504;
export const TOKEN_EXPIRED = 4505;

/** The name of a close code. */
export const closeName = (code: number): string => (CLOSE as Record<number, string>)[code] ?? String(code);

/** Whether a client returns after a session that ended with this code. */
export const returns = (code: number): boolean => code < 4400 || code > 4499;

/** The name of an error code. */
export const errorName = (code: number): string =>
  (code < 100 ? REFUSED[code - 1] : REFUSED_FOR_NOW[code - 100]) ?? 'unknown_code';

/** Whether the same request may succeed later. */
export const isRetryable = (code: number): boolean => code >= 100 && code < 200;

/** The reason of this number. */
export const reasonName = (number: number): Reason => (REASONS[number - 1] as Reason | undefined) ?? 'other';

/** The skip reason of this number. */
export const skipReasonName = (number: number): SkipReason =>
  number === 1 ? 'slow' : number === 2 ? 'superseded' : 'other';

/** The number of a policy; 0 leaves it to the namespace. */
export const policyNumber = (policy?: Policy): number =>
  policy ? ['recover', 'latest', 'drop', 'disconnect'].indexOf(policy) + 1 : 0;
