/** Why bytes are not a frame, or a frame not one that may be sent: the names of `protocol/vectors/refused.json`. */
export type FaultName =
  | 'bad_prefix'
  | 'too_large'
  | 'truncated'
  | 'empty_frame'
  | 'malformed'
  | 'no_body'
  | 'second_body'
  | 'unknown_body'
  | 'field_missing'
  | 'field_too_long'
  | 'field_wrong_length'
  | 'field_too_many'
  | 'field_out_of_range'
  | 'field_unknown_value'
  | 'field_contradicts';

/** A refused frame. Whoever meets one ends the session. */
export class FrameFault extends Error {
  constructor(
    readonly fault: FaultName,
    /** The field, by its name in the schema with its frame's before it. */
    readonly field = '',
  ) {
    super(`${fault} ${field}`.trim());
  }
}
