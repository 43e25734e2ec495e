/** What can go wrong, as classes; `code` is the protocol's name for it, and `number` its number. */

import { closeName, errorName } from './codes.ts';
import type { Failure } from './types.ts';

/** What each kind means, and what to do. */
const SAYING: Record<Failure['kind'], (detail: string) => string> = {
  refused: (detail) => detail,
  timed_out: (detail) => `it was not done in time (${detail || 'no answer'}); try again`,
  outcome_unknown: () => 'whether the message was published is not known; read the channel before publishing it again',
  closed: (detail) => `the client has closed: ${detail}`,
  invalid: (detail) => detail,
  aborted: () => 'it was given up',
};

/** Any failure of this client. */
export class StarlingError extends Error {
  override readonly name: string = 'StarlingError';
  /** Stable name, for programs. */
  readonly code: string;
  /** The protocol's number for it; 0 if it has none. */
  readonly number: number;
  /** Trying again is useful after so long, if it is at all. */
  readonly retryAfterMs: number | undefined;

  constructor({ kind, number, message, retryAfterMs }: Failure) {
    super(SAYING[kind](message));
    this.code = kind === 'refused' ? errorName(number) : kind === 'closed' ? closeName(number) : kind;
    this.number = number;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The server refused it. */
export class RefusedError extends StarlingError {
  override readonly name = 'RefusedError';
}

/** It was not done in time, and will not be. */
export class TimedOutError extends StarlingError {
  override readonly name = 'TimedOutError';
}

/** Whether the message was published is not known: read the channel before publishing it again. */
export class OutcomeUnknownError extends StarlingError {
  override readonly name = 'OutcomeUnknownError';
}

/** The client has closed; `code` and `number` are those of the session's end. */
export class ClosedError extends StarlingError {
  override readonly name = 'ClosedError';
}

/** What was asked for cannot be: the caller has to change it. */
export class InvalidError extends StarlingError {
  override readonly name = 'InvalidError';
}

/** The token provider throws this to say that there is no token and will be none: the client closes. */
export class DeniedError extends StarlingError {
  override readonly name = 'DeniedError';

  constructor(reason: string) {
    super({ kind: 'closed', number: 4401, message: '' });
    // The client has not closed yet: this is why it will.
    this.message = reason;
  }
}

const CLASSES = {
  refused: RefusedError,
  timed_out: TimedOutError,
  outcome_unknown: OutcomeUnknownError,
  closed: ClosedError,
  invalid: InvalidError,
  aborted: StarlingError,
};

/** The error of a failure. */
export const toError = (failure: Failure): StarlingError => new CLASSES[failure.kind](failure);

/** What a caller has to change. */
export const invalid = (message: string): InvalidError => new InvalidError({ kind: 'invalid', number: 0, message });
