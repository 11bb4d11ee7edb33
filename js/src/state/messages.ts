import { toBytes } from "../map/bytes";
import { fields, finite, type Header, parseHeader, text, whole } from "../map/header";

export interface Want {
  readonly method: string;
  readonly target: { readonly kind: string; readonly index: number };
}

export type Reply =
  | { kind: "accepted"; req: string }
  | { kind: "progress"; req: string; done: number; total: number }
  | {
      kind: "partial";
      req: string;
      seq: number;
      done: number;
      total: number;
      header: Header;
      bytes: Uint8Array;
    }
  | { kind: "done"; req: string; key: string }
  | { kind: "cancelled"; req: string; reason: string }
  | { kind: "error"; req: string; message: string; traceback: string };

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
      return done === null || total === null ? null : { kind: "progress", req, done, total };
    }
    case "partial": {
      const seq = whole(message.seq);
      const header = parseHeader(message.header);
      const bytes = Array.isArray(buffers) ? toBytes(buffers[0]) : null;
      if (seq === null || !header || !bytes) return null;
      const [channels, height, width] = header.shape;
      if (bytes.byteLength !== 2 * channels * height * width) return null;
      const done = finite(message.done) ?? 0;
      return { kind: "partial", req, seq, done, total: finite(message.total) ?? 0, header, bytes };
    }
    case "done":
      return { kind: "done", req, key: text(message.key) };
    case "cancelled":
      return { kind: "cancelled", req, reason: text(message.reason) };
    case "error": {
      const said = text(message.message) || "The computation failed.";
      return { kind: "error", req, message: said, traceback: text(message.traceback) };
    }
    default:
      return null;
  }
}
