import { toBytes } from "../map/bytes";
import { type Fields, fields, finite, type Header, parseHeader, text, whole } from "../map/header";

export type Reply =
  | { kind: "accepted"; req: string }
  | { kind: "progress"; req: string; done: number; total: number; seconds: number | null }
  | {
      kind: "partial";
      req: string;
      seq: number;
      done: number;
      total: number;
      seconds: number | null;
      header: Header;
      bytes: Uint8Array;
    }
  | { kind: "done"; req: string; key: string }
  | { kind: "cancelled"; req: string; reason: string; key: string }
  | Tile
  | { kind: "error"; req: string; message: string; traceback: string };

/** A part of a map at its full resolution, with the picture there. Answers a request for it. */
export interface Tile {
  readonly kind: "tile";
  readonly req: string;
  readonly key: string;
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly scale: number;
  readonly bytes: Uint8Array;
  /** RGB. */
  readonly picture: Uint8Array | null;
}

/** A message from Python, or null for whatever else may come over the wire. */
export function parseReply(content: unknown, buffers: unknown): Reply | null {
  const message = fields(content);
  const req = message?.req;
  if (!message || typeof req !== "string") return null;
  switch (message.kind) {
    case "accepted":
      return { kind: "accepted", req };
    case "progress": {
      const done = finite(message.done);
      const total = finite(message.total);
      return done === null || total === null
        ? null
        : { kind: "progress", req, done, total, seconds: finite(message.seconds) };
    }
    case "partial": {
      const seq = whole(message.seq);
      const header = parseHeader(message.header);
      const bytes = Array.isArray(buffers) ? toBytes(buffers[0]) : null;
      if (seq === null || !header || !bytes) return null;
      const [channels, height, width] = header.shape;
      if (bytes.byteLength !== 2 * channels * height * width) return null;
      const done = finite(message.done) ?? 0;
      const seconds = finite(message.seconds) ?? header.seconds;
      return { kind: "partial", req, seq, done, total: finite(message.total) ?? 0, seconds, header, bytes };
    }
    case "done":
      return { kind: "done", req, key: text(message.key) };
    case "cancelled":
      return { kind: "cancelled", req, reason: text(message.reason), key: text(message.key) };
    case "tile":
      return parseTile(message, req, buffers);
    case "error": {
      const said = text(message.message) || "The computation failed.";
      return { kind: "error", req, message: said, traceback: text(message.traceback) };
    }
    default:
      return null;
  }
}

function parseTile(message: Fields, req: string, buffers: unknown): Tile | null {
  const [top, left, height, width] = [message.top, message.left, message.height, message.width].map((one) =>
    whole(one),
  );
  const header = fields(message.header);
  const channels = Array.isArray(header?.shape) ? whole(header.shape[0], 1) : null;
  const scale = finite(header?.scale);
  const [bytes, picture] = (Array.isArray(buffers) ? buffers : []).map(toBytes);
  if (top === null || left === null || !height || !width || !channels || scale === null || !bytes)
    return null;
  if (top === undefined || left === undefined) return null;
  if (bytes.byteLength !== 2 * channels * height * width) return null;
  const fits = picture?.byteLength === 3 * height * width;
  const key = text(message.key);
  return {
    kind: "tile",
    req,
    key,
    top,
    left,
    height,
    width,
    channels,
    scale,
    bytes,
    picture: fits ? picture : null,
  };
}
