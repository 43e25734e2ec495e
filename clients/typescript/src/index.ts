/** The client of Starling for browsers and Node: `new Client({ url })`, `client.channel(name)`. */

export {
  Channel,
  type ChannelEvents,
  type ChannelOptions,
  type ChannelState,
  type Message,
  type PublishOptions,
  type Subscription,
} from './channel.ts';
export { Client, type ClientEvents, type ClientOptions, type ClientStats, type WaitOptions } from './client.ts';
export {
  ClosedError,
  DeniedError,
  InvalidError,
  OutcomeUnknownError,
  RefusedError,
  StarlingError,
  TimedOutError,
} from './errors.ts';
export type { History, HistoryOptions } from './history.ts';
export type { Keyed, KeyedChange, KeyedEvents } from './keyed.ts';
export type { Encoding } from './payload.ts';
export type {
  Attached,
  CloseReason,
  Counts,
  Discontinuity,
  Outcome,
  Policy,
  Position,
  Published,
  Reason,
  Since,
  Skipped,
  SkipReason,
  State,
  TokenRequest,
  Transport,
  Window,
} from './types.ts';
