/** The bytes behind whatever a host makes of a binary trait or message buffer; null where it is none. */
export function toBytes(raw: unknown): Uint8Array | null {
  if (raw instanceof ArrayBuffer) return new Uint8Array(raw);
  if (ArrayBuffer.isView(raw)) return new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
  if (typeof raw === "string") return fromBase64(raw);
  // A buffer made in another frame is no instance of this frame's ArrayBuffer.
  if (Object.prototype.toString.call(raw) === "[object ArrayBuffer]")
    return new Uint8Array(raw as ArrayBuffer);
  return null;
}

/** Whether there are any bytes, without decoding them. */
export function hasBytes(raw: unknown): boolean {
  return (typeof raw === "string" ? raw.length : (toBytes(raw)?.byteLength ?? 0)) > 0;
}

export function fromBase64(text: string): Uint8Array | null {
  let decoded: string;
  try {
    decoded = atob(text);
  } catch {
    return null;
  }
  const bytes = new Uint8Array(decoded.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = decoded.charCodeAt(i);
  return bytes;
}
