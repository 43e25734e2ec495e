/** The limits of the wire that a client keeps; `protocol/README.md` says what each counts. */
export const HELLO_DEADLINE_MS = 5_000;
export const TOKEN_BYTES_MAX = 3_072;
export const FRAME_HEADER_BYTES = 1_024;
export const PAYLOAD_BYTES_MAX = 261_120;
export const PAGE_BYTES_MAX = 262_144;
export const SERVER_FRAME_BYTES_MAX = 262_144;
export const PAGE_CREDIT_BYTES_DEFAULT = 524_288;
export const CHANNEL_BYTES_MAX = 255;
export const KEY_BYTES_MAX = 128;
export const EPOCH_BYTES_MAX = 64;
export const NAME_BYTES_MAX = 255;
export const TEXT_BYTES_MAX = 1_024;
export const ALTERNATES_MAX = 8;
export const ALTERNATE_BYTES_MAX = 512;
export const AGENT_BYTES_MAX = 128;
export const SILENCE_PERCENT = 150;
