"use strict";
(() => {
  // js/src/state/model.ts
  var Model = class {
    constructor(raw) {
      this.raw = raw;
    }
    raw;
    get(name) {
      try {
        return this.raw.get?.(name);
      } catch {
        return void 0;
      }
    }
    set(name, value) {
      return this.#try(this.raw.set && (() => this.raw.set(name, value)));
    }
    save() {
      return this.#try(this.raw.save_changes && (() => this.raw.save_changes()));
    }
    get canSend() {
      return typeof this.raw.send === "function";
    }
    send(content) {
      return this.#try(this.raw.send && (() => this.raw.send(content)));
    }
    /** Listens until the returned function is called, also in a host that cannot take a listener off. */
    on(event, listener) {
      let heard = true;
      const callback = (...args) => {
        if (heard) listener(...args);
      };
      this.#try(this.raw.on && (() => this.raw.on(event, callback)));
      return () => {
        if (!heard) return;
        heard = false;
        this.#try(this.raw.off && (() => this.raw.off(event, callback)));
      };
    }
    #try(action) {
      if (!action) return false;
      try {
        action();
        return true;
      } catch {
        return false;
      }
    }
  };

  // js/src/map/header.ts
  function fields(raw) {
    return typeof raw === "object" && raw !== null && !Array.isArray(raw) ? raw : null;
  }
  function text(raw, otherwise = "") {
    return typeof raw === "string" ? raw : otherwise;
  }
  function finite(raw) {
    return typeof raw === "number" && Number.isFinite(raw) ? raw : null;
  }
  function whole(raw, least = 0) {
    return typeof raw === "number" && Number.isInteger(raw) && raw >= least ? raw : null;
  }
  var MOST_VALUES = 2 ** 26;
  function parseHeader(raw) {
    const h = fields(raw);
    if (h?.dtype !== "float16" || typeof h.key !== "string" || h.key === "") return null;
    if (!Array.isArray(h.shape) || h.shape.length !== 3) return null;
    const [channels, height, width] = h.shape.map((side) => whole(side, 1));
    const scale = finite(h.scale);
    if (!channels || !height || !width || channels * height * width > MOST_VALUES) return null;
    if (scale === null || scale < 0) return null;
    const method = fields(h.method);
    const target = fields(h.target);
    const from = Array.isArray(h.reduced_from) ? h.reduced_from.map((side) => whole(side, 1)) : [];
    const index = whole(target?.index);
    const label = text(target?.label) || (index === null ? "" : `class ${index}`);
    const kind2 = text(target?.kind, "logit");
    return {
      slot: whole(h.slot),
      key: h.key,
      method: { name: text(method?.name), label: text(method?.label) || text(method?.name) || "Map" },
      target: { kind: kind2, index, label, text: text(target?.text) || `${kind2} of ${label}` },
      shape: [channels, height, width],
      scale,
      unit: text(h.unit),
      score: finite(h.score),
      probability: finite(h.probability),
      seconds: finite(h.seconds),
      reducedFrom: from[0] && from[1] ? [from[0], from[1]] : null,
      nonfinite: whole(h.nonfinite) ?? 0
    };
  }
  function parseInfo(raw) {
    const info = fields(raw) ?? {};
    const picture2 = fields(info.picture);
    const prediction = (Array.isArray(info.prediction) ? info.prediction : []).flatMap((one) => {
      const index = whole(fields(one)?.index);
      if (index === null) return [];
      const label = text(fields(one)?.label) || `class ${index}`;
      return [{ index, label, probability: finite(fields(one)?.probability) }];
    });
    return {
      model: text(info.model),
      width: whole(picture2?.width, 1) ?? 0,
      height: whole(picture2?.height, 1) ?? 0,
      channels: strings(info.channels),
      classes: whole(info.classes) ?? 0,
      prediction,
      preprocess: text(info.preprocess),
      scoreKind: text(info.score_kind, "logit"),
      notes: strings(info.notes)
    };
  }
  function strings(raw) {
    return Array.isArray(raw) ? raw.map((one) => text(one)) : [];
  }

  // js/src/map/labels.ts
  var WORD = /[\p{L}\p{N}]/u;
  var Labels = class {
    count;
    #names;
    #lower = null;
    constructor(names, classes) {
      this.#names = names;
      this.count = Math.max(classes, names.length);
    }
    name(index) {
      return this.#names[index] || `class ${index}`;
    }
    /**
     * At most `limit` classes for what was typed: the class of that number, labels that are it, that start with it, that have a
     * word that starts with it, that contain it. Nothing typed lists `first`, then the others in order.
     */
    find(typed, limit, first = []) {
      const query2 = typed.trim().toLowerCase();
      if (query2 === "") return this.#all(limit, first);
      if (!this.#lower) {
        this.#lower = Array.from({ length: this.count }, (_, i) => this.name(i).toLowerCase());
      }
      const ranked = [[], [], [], [], []];
      const asNumber = /^\d+$/.test(query2) ? Number(query2) : -1;
      let total = 0;
      for (let i = 0; i < this.count; i++) {
        const grade = i === asNumber ? 0 : gradeOf(this.#lower[i], query2);
        if (grade < 0) continue;
        total++;
        const same2 = ranked[grade];
        if (same2.length < limit) same2.push(i);
      }
      return { matches: ranked.flat().slice(0, limit), total };
    }
    #all(limit, first) {
      const matches = new Set(first.filter((i) => i >= 0 && i < this.count).slice(0, limit));
      for (let i = 0; i < this.count && matches.size < limit; i++) matches.add(i);
      return { matches: [...matches], total: this.count };
    }
  };
  function gradeOf(label, query2) {
    let at = label.indexOf(query2);
    if (at < 0) return -1;
    if (at === 0) return label.length === query2.length ? 1 : 2;
    while (at >= 0) {
      if (!WORD.test(label[at - 1])) return 3;
      at = label.indexOf(query2, at + 1);
    }
    return 4;
  }

  // js/src/map/bytes.ts
  function toBytes(raw) {
    if (raw instanceof ArrayBuffer) return new Uint8Array(raw);
    if (ArrayBuffer.isView(raw)) return new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
    if (typeof raw === "string") return fromBase64(raw);
    if (Object.prototype.toString.call(raw) === "[object ArrayBuffer]")
      return new Uint8Array(raw);
    return null;
  }
  function fromBase64(text2) {
    let decoded;
    try {
      decoded = atob(text2);
    } catch {
      return null;
    }
    const bytes = new Uint8Array(decoded.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = decoded.charCodeAt(i);
    return bytes;
  }

  // js/src/map/bins.ts
  var MOST = 65535;
  var NO_NUMBER = 65535;
  function makeBins(values, order) {
    const exact = cut(values, order, 1, MOST);
    const starts = exact ?? cut(values, order, Math.ceil(2 * order.length / (MOST - 35)), MOST);
    const count2 = starts.length - 1;
    const index = new Uint16Array(values.length).fill(NO_NUMBER);
    for (let b = 0; b < count2; b++) {
      for (let p = starts[b]; p < starts[b + 1]; p++) index[order[p]] = b;
    }
    return { index, starts, count: count2 };
  }
  function cut(values, order, size, most) {
    const n = order.length;
    const starts = new Uint32Array(most + 1);
    let count2 = 0;
    let start = 0;
    for (let from = 0; from < n; ) {
      const value = values[order[from]];
      let to = from + 1;
      while (to < n && values[order[to]] === value) to++;
      const first = values[order[start]];
      const full = from - start >= size || to - from >= size || Math.sign(first) !== Math.sign(value);
      if (from > start && full) {
        if (count2 === most) return null;
        starts[count2++] = start;
        start = from;
      }
      from = to;
    }
    if (n > 0) {
      if (count2 === most) return null;
      starts[count2++] = start;
    }
    starts[count2] = n;
    return starts.slice(0, count2 + 1);
  }

  // js/src/map/order.ts
  function argsort(values) {
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    const total = values.length;
    const low = new Uint32Array(65536);
    const high = new Uint32Array(65536);
    let finite2 = 0;
    for (let i = 0; i < total; i++) {
      if (!Number.isFinite(values[i])) continue;
      const key = sortable(bits[i]);
      low[key & 65535]++;
      high[key >>> 16]++;
      finite2++;
    }
    startsOf(low);
    startsOf(high);
    const half = new Uint32Array(finite2);
    for (let i = 0; i < total; i++) {
      if (Number.isFinite(values[i])) half[low[sortable(bits[i]) & 65535]++] = i;
    }
    const order = new Uint32Array(finite2);
    for (let k = 0; k < finite2; k++) {
      const i = half[k];
      order[high[sortable(bits[i]) >>> 16]++] = i;
    }
    return order;
  }
  function sortable(bits) {
    return (bits & 2147483648 ? ~bits : bits | 2147483648) >>> 0;
  }
  function startsOf(counts) {
    let start = 0;
    for (let i = 0; i < counts.length; i++) {
      const count2 = counts[i];
      counts[i] = start;
      start += count2;
    }
  }
  function countBelow(ascending, value) {
    let low = 0;
    let high = ascending.length;
    while (low < high) {
      const middle = low + high >>> 1;
      if (ascending[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  function countUpTo(ascending, value) {
    let low = 0;
    let high = ascending.length;
    while (low < high) {
      const middle = low + high >>> 1;
      if (ascending[middle] <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // js/src/map/reduce.ts
  function reduceChannels(values, channels, sign) {
    const pixels = values.length / channels;
    const reduced = new Float32Array(pixels);
    if (sign === "absolute") {
      for (let i = 0; i < pixels; i++) {
        let largest = 0;
        for (let c = 0, j = i; c < channels; c++, j += pixels) {
          const magnitude = Math.abs(values[j]);
          if (magnitude > largest || Number.isNaN(magnitude)) largest = magnitude;
        }
        reduced[i] = Number.isFinite(largest) ? largest : Number.NaN;
      }
    } else {
      for (let i = 0; i < pixels; i++) {
        let sum = 0;
        for (let c = 0, j = i; c < channels; c++, j += pixels) sum += values[j];
        const rounded = Math.fround(sum) + 0;
        reduced[i] = Number.isFinite(rounded) ? rounded : Number.NaN;
      }
    }
    return reduced;
  }

  // js/src/map/field.ts
  var Field = class _Field {
    constructor(sign, width, height, values) {
      this.sign = sign;
      this.width = width;
      this.height = height;
      this.values = values;
      this.order = argsort(values);
      this.bins = makeBins(values, this.order);
      this.magnitudes = sortedMagnitudes(values, this.order);
      const n = this.magnitudes.length;
      this.#mass = new Float64Array(n + 1);
      for (let k = 0; k < n; k++) this.#mass[k + 1] = this.#mass[k] + this.magnitudes[n - 1 - k];
    }
    sign;
    width;
    height;
    values;
    /** Positions of the finite pixels, ascending by signed value. */
    order;
    bins;
    /** |value| of the finite pixels, ascending. */
    magnitudes;
    /** mass[k] is the sum of the k largest magnitudes. */
    #mass;
    static from(values, shape, sign) {
      return new _Field(sign, shape[2], shape[1], reduceChannels(values, shape[0], sign));
    }
    get finite() {
      return this.order.length;
    }
    get missing() {
      return this.values.length - this.order.length;
    }
    /** Whether every finite pixel is exactly zero. */
    get zero() {
      return !(this.finite > 0 && this.magnitudes[this.finite - 1] > 0);
    }
    /** The position of the strongest pixel; null where none is stronger than nothing. */
    get strongest() {
      const n = this.finite;
      if (this.zero) return null;
      const first = this.order[0];
      const last = this.order[n - 1];
      return Math.abs(this.values[first]) > Math.abs(this.values[last]) ? first : last;
    }
    /** The magnitude at the end of the colours: an order statistic, never interpolated. 0 only for a zero map. */
    level(clip) {
      const n = this.finite;
      if (n === 0) return 0;
      const level = this.magnitudes[Math.min(Math.max(Math.ceil(clip * n / 100) - 1, 0), n - 1)];
      return level > 0 ? level : this.magnitudes[n - 1];
    }
    /** The strongest `percent` of the area; equal magnitudes stay or go together. */
    keep(percent2) {
      const n = this.finite;
      const asked = Math.min(Math.floor(percent2 * n / 100 + 0.5), n);
      const total = this.#mass[n];
      if (!(asked > 0)) return { cut: Number.POSITIVE_INFINITY, count: 0, area: 0, mass: total > 0 ? 0 : null };
      const cut2 = this.magnitudes[n - asked];
      const count2 = n - countBelow(this.magnitudes, cut2);
      return { cut: cut2, count: count2, area: count2 / n, mass: total > 0 ? this.#mass[count2] / total : null };
    }
    /** Where one pixel stands by magnitude; null where it has no number. */
    rank(position) {
      const magnitude = Math.abs(this.values[position] ?? Number.NaN);
      if (Number.isNaN(magnitude)) return null;
      const of = this.finite;
      return {
        rank: 1 + of - countUpTo(this.magnitudes, magnitude),
        of,
        percentile: 100 * countBelow(this.magnitudes, magnitude) / of
      };
    }
  };
  function sortedMagnitudes(values, order) {
    const n = order.length;
    const magnitudes = new Float32Array(n);
    let up = 0;
    while (up < n && values[order[up]] < 0) up++;
    let down = up - 1;
    for (let k = 0; k < n; k++) {
      const below = down >= 0 ? -values[order[down]] : Number.POSITIVE_INFINITY;
      const above = up < n ? values[order[up]] : Number.POSITIVE_INFINITY;
      if (below < above) {
        magnitudes[k] = below;
        down--;
      } else {
        magnitudes[k] = above;
        up++;
      }
    }
    return magnitudes;
  }

  // js/src/map/half.ts
  var table = null;
  function halfToNumber(bits) {
    const sign = bits & 32768 ? -1 : 1;
    const exponent = bits >> 10 & 31;
    const fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  function halves() {
    if (table) return table;
    table = new Float64Array(65536);
    for (let bits = 0; bits < 65536; bits++) table[bits] = halfToNumber(bits);
    return table;
  }
  function decodeHalf(bytes, count2, scale) {
    if (bytes.byteLength !== 2 * count2) return null;
    const known2 = halves();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const values = new Float32Array(count2);
    for (let i = 0; i < count2; i++) values[i] = known2[view.getUint16(2 * i, true)] * scale;
    return values;
  }

  // js/src/map/lru.ts
  var Lru = class {
    constructor(limit) {
      this.limit = limit;
    }
    limit;
    #entries = /* @__PURE__ */ new Map();
    #total = 0;
    get(key) {
      const found = this.#entries.get(key);
      if (!found) return void 0;
      this.#entries.delete(key);
      this.#entries.set(key, found);
      return found.value;
    }
    set(key, value, cost) {
      this.delete(key);
      this.#entries.set(key, { value, cost });
      this.#total += cost;
      for (const oldest of this.#entries.keys()) {
        if (this.#total <= this.limit || oldest === key) break;
        this.delete(oldest);
      }
    }
    delete(key) {
      const found = this.#entries.get(key);
      if (!found) return;
      this.#entries.delete(key);
      this.#total -= found.cost;
    }
  };

  // js/src/state/maps.ts
  var MapCache = class {
    #decoded = new Lru(24e6);
    #sorted = new Lru(6e6);
    /** null where the bytes are missing or do not fit the header. */
    load(header, raw) {
      const key = `${header.key} ${header.shape}`;
      const held = this.#decoded.get(key);
      if (held && held.raw === raw && held.scale === header.scale) {
        return held.value && { ...held.value, header };
      }
      const bytes = toBytes(raw);
      const [channels, height, width] = header.shape;
      const count2 = channels * height * width;
      const values = bytes ? decodeHalf(bytes, count2, header.scale) : null;
      const value = values && { header, values };
      this.#decoded.set(key, { raw, scale: header.scale, value }, value ? count2 : 1);
      return value;
    }
    field(loaded, sign) {
      const { header, values } = loaded;
      const key = `${header.key} ${header.shape} ${sign}`;
      const held = this.#sorted.get(key);
      if (held && held.raw === values) return held.value;
      const value = Field.from(values, header.shape, sign);
      this.#sorted.set(key, { raw: values, scale: header.scale, value }, value.values.length);
      return value;
    }
  };

  // js/src/state/messages.ts
  function parseReply(content, buffers) {
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

  // js/src/state/protocol.ts
  var SILENCE = 1e3;
  var GIVE_UP = 5e3;
  var Protocol = class {
    constructor(ends, now = Date.now) {
      this.ends = ends;
      this.now = now;
    }
    ends;
    now;
    flight = null;
    pending = null;
    #seq = 0;
    #calledOff = [];
    #name = Math.random().toString(36).slice(2, 10);
    request(ask) {
      const flight = this.flight;
      if (!flight) this.#send(ask);
      else if (flight.phase !== "stopping" && same(flight.want, ask.want)) this.pending = null;
      else {
        this.pending = ask;
        this.#cancel(flight);
      }
      this.ends.changed();
    }
    stop() {
      this.pending = null;
      if (this.flight) this.#cancel(this.flight);
      this.ends.changed();
    }
    /** The host says that there is no kernel any more. */
    gone() {
      this.pending = null;
      if (this.flight) this.#end(this.flight, { kind: "gone" });
      this.ends.changed();
    }
    /** Takes any message; whether it was one for the request in flight. */
    receive(content, buffers) {
      const reply = parseReply(content, buffers);
      const flight = this.flight;
      if (!reply || !flight || reply.req !== flight.req) return false;
      switch (reply.kind) {
        case "accepted":
          accept(flight);
          break;
        case "progress":
          accept(flight);
          flight.done = reply.done;
          flight.total = reply.total;
          break;
        case "partial":
          this.#partial(flight, reply);
          break;
        default:
          this.#end(flight, reply);
      }
      this.ends.changed();
      return true;
    }
    dispose() {
      this.#quiet();
      this.flight = null;
      this.pending = null;
    }
    #partial(flight, reply) {
      if (reply.seq <= flight.partial) return;
      accept(flight);
      flight.partial = reply.seq;
      flight.done = reply.done;
      flight.total = reply.total;
      if (flight.phase !== "stopping") this.ends.partial(reply);
      this.ends.drawn((visible) => {
        this.ends.send({ v: 1, kind: "ack", req: reply.req, seq: reply.seq, visible });
      });
    }
    #send(ask) {
      this.#seq = Math.max(this.#seq + 1, this.now());
      const req = `${this.#name}-${this.#seq}`;
      const flight = { ...ask, req, seq: this.#seq, phase: "sent", done: 0, total: 0, partial: -1 };
      this.flight = flight;
      if (!this.ends.send({ v: 1, kind: "request", req, seq: flight.seq, want: ask.want })) {
        this.#end(flight, { kind: "gone" });
        return;
      }
      this.#after(SILENCE, () => {
        if (flight.phase === "sent") flight.phase = "waiting";
      });
    }
    #cancel(flight) {
      if (flight.phase === "stopping") return;
      flight.phase = "stopping";
      if (!this.ends.send({ v: 1, kind: "cancel", req: flight.req })) {
        this.pending = null;
        this.#end(flight, { kind: "gone" });
        return;
      }
      this.#after(GIVE_UP, () => this.#end(flight, { kind: "cancelled", reason: "no answer" }));
    }
    #end(flight, outcome) {
      if (this.flight !== flight) return;
      this.#quiet();
      this.flight = null;
      const next = this.pending;
      this.pending = null;
      this.ends.ended(flight, outcome);
      if (next && !this.flight && outcome.kind !== "gone") this.#send(next);
    }
    #after(milliseconds, action) {
      const flight = this.flight;
      this.#calledOff.push(
        this.ends.later(milliseconds, () => {
          if (this.flight !== flight) return;
          action();
          this.ends.changed();
        })
      );
    }
    #quiet() {
      for (const off of this.#calledOff) off();
      this.#calledOff = [];
    }
  };
  function accept(flight) {
    if (flight.phase === "sent" || flight.phase === "waiting") flight.phase = "computing";
  }
  function same(a, b) {
    return a.method === b.method && a.target.kind === b.target.kind && a.target.index === b.target.index;
  }
  function keyOf(want) {
    return `${want.method}/${want.target.kind}/${want.target.index}`;
  }

  // js/src/state/store.ts
  var SLOTS = 24;
  var FROM_PYTHON = ["_info", "_image", "_labels", "_maps", "_status"].concat(
    Array.from({ length: SLOTS }, (_, i) => `_slot_${i}`)
  );
  var VIEW = ["shown", "sign", "threshold", "opacity", "clip"];
  var Store = class {
    protocol;
    maps = new MapCache();
    /** The last request's error; null when something else was chosen since. */
    trouble = null;
    gone = false;
    partial = null;
    /** The class last asked for, until it is shown. */
    wanted = null;
    #models = /* @__PURE__ */ new Map();
    #listeners = /* @__PURE__ */ new Set();
    #visible = /* @__PURE__ */ new Set();
    /** What was chosen in a host that cannot store it. */
    #own = /* @__PURE__ */ new Map();
    #parsed = /* @__PURE__ */ new Map();
    #seen = /* @__PURE__ */ new WeakSet();
    #arrivesAs = null;
    #dismissed = "";
    #writing = false;
    constructor() {
      this.protocol = new Protocol({
        send: (content) => this.#model?.send(content) ?? false,
        later: (milliseconds, action) => {
          const timer = setTimeout(action, milliseconds);
          return () => clearTimeout(timer);
        },
        drawn: (action) => this.#drawn(action),
        changed: () => this.#changed(),
        partial: (partial) => {
          this.partial = partial;
        },
        ended: (flight, outcome) => this.#ended(flight, outcome)
      });
    }
    /** Hears a host's model until the returned function is called: each view of one model may have its own. */
    attach(model2) {
      const offs = FROM_PYTHON.map((name) => model2.on(`change:${name}`, () => this.#fromPython(name)));
      for (const name of VIEW) offs.push(model2.on(`change:${name}`, () => this.#viewChanged(name)));
      offs.push(model2.on("msg:custom", (content, buffers) => this.#message(content, buffers)));
      offs.push(
        model2.on("comm_live_update", () => {
          this.gone = true;
          this.protocol.gone();
        })
      );
      this.#models.set(model2, offs);
      return () => {
        for (const off of this.#models.get(model2) ?? []) off();
        this.#models.delete(model2);
        if (this.#models.size === 0) this.protocol.dispose();
      };
    }
    get attached() {
      return this.#models.size > 0;
    }
    /** Whether `model` stands for the model of this store: hosts hand out a new proxy to each view, with the same values. */
    isOf(model2) {
      const info = model2.get("_info");
      return typeof info === "object" && info !== null && info === this.#model?.get("_info");
    }
    subscribe(listener) {
      this.#listeners.add(listener);
      return () => this.#listeners.delete(listener);
    }
    setVisible(view, visible) {
      if (visible) this.#visible.add(view);
      else this.#visible.delete(view);
    }
    get info() {
      return this.#read("_info", parseInfo);
    }
    get image() {
      return this.#model?.get("_image");
    }
    get labels() {
      const classes = this.info.classes;
      const labels2 = this.#read("_labels", (raw) => new Labels(strings(raw), classes));
      return labels2.count >= classes ? labels2 : new Labels([], classes);
    }
    get headers() {
      return this.#read("_maps", (raw) => {
        const known2 = (Array.isArray(raw) ? raw : []).map(parseHeader);
        return known2.filter((header) => header !== null && header.slot !== null);
      });
    }
    get status() {
      return this.#read("_status", (raw) => {
        const status = fields(raw);
        const state = status?.state === "computing" || status?.state === "error" ? status.state : "idle";
        const trouble = { message: text(status?.message), traceback: text(status?.traceback) };
        return { state, label: text(fields(status?.want)?.text), trouble };
      });
    }
    /** An error that Python tells of and that nothing was chosen after. */
    get statusTrouble() {
      const { state, trouble } = this.status;
      return state === "error" && trouble.message + trouble.traceback !== this.#dismissed ? trouble : null;
    }
    get shown() {
      return text(this.#value("shown"));
    }
    get sign() {
      return this.#value("sign") === "signed" ? "signed" : "absolute";
    }
    get threshold() {
      return this.#number("threshold", 100, 0, 100);
    }
    get opacity() {
      return this.#number("opacity", 0.6, 0, 1);
    }
    get clip() {
      return this.#number("clip", 99, 0, 100);
    }
    get canAsk() {
      return this.#model?.canSend ?? false;
    }
    header(key) {
      return this.headers.find((header) => header.key === key) ?? null;
    }
    load(header) {
      return header.slot === null ? null : this.maps.load(header, this.#model?.get(`_slot_${header.slot}`));
    }
    /** A class as the map on display has it: the same method and kind of score. */
    want(index) {
      const like = this.header(this.shown) ?? this.headers[0];
      return {
        method: like?.method.name || "gradient",
        target: { kind: like?.target.kind || this.info.scoreKind, index }
      };
    }
    held(index) {
      const { method, target } = this.want(index);
      const found = this.headers.find(
        (h) => h.method.name === method && h.target.kind === target.kind && h.target.index === index
      );
      return found ?? null;
    }
    /** Shows a class: at once if its map is here, else when Python has sent it. */
    choose(index) {
      this.#forgive();
      const held = this.held(index);
      if (held) {
        this.wanted = null;
        this.#arrivesAs = null;
        this.partial = null;
        if (this.protocol.flight || this.protocol.pending) this.protocol.stop();
        if (held.key !== this.shown) {
          this.set("shown", held.key);
          this.save();
        }
      } else if (this.canAsk) {
        const want = this.want(index);
        this.wanted = want;
        this.#arrivesAs = null;
        this.protocol.request({ want, label: this.labels.name(index) });
      }
      this.#changed();
    }
    stop() {
      this.wanted = null;
      this.partial = null;
      this.protocol.stop();
    }
    /** Sets a choice of the view; `save` once a gesture. */
    set(name, value) {
      this.#writing = true;
      const stored = this.#model?.set(name, value) ?? false;
      this.#writing = false;
      if (stored) this.#own.delete(name);
      else this.#own.set(name, value);
      this.#changed();
    }
    save() {
      this.#model?.save();
    }
    get #model() {
      let last;
      for (const model2 of this.#models.keys()) last = model2;
      return last;
    }
    #value(name) {
      return this.#own.has(name) ? this.#own.get(name) : this.#model?.get(name);
    }
    #number(name, otherwise, least, most) {
      const raw = this.#value(name);
      return typeof raw === "number" && raw >= least && raw <= most ? raw : otherwise;
    }
    #read(name, parse2) {
      const raw = this.#model?.get(name);
      const held = this.#parsed.get(name);
      if (held && held.raw === raw) return held.value;
      const value = parse2(raw);
      this.#parsed.set(name, { raw, value });
      return value;
    }
    #fromPython(name) {
      this.gone = false;
      if (name === "_status" && this.status.state !== "error") {
        this.#dismissed = "";
        if (this.status.state === "computing") this.trouble = null;
      }
      if (name === "_info") this.#parsed.delete("_labels");
      if (name === "_maps" || name.startsWith("_slot")) this.#arrived();
      this.#changed();
    }
    #viewChanged(name) {
      if (!this.#writing) {
        this.#own.delete(name);
        if (name === "shown") {
          this.wanted = null;
          this.#arrivesAs = null;
          this.partial = null;
        }
      }
      this.#changed();
    }
    #message(content, buffers) {
      if (typeof content === "object" && content !== null) {
        if (this.#seen.has(content)) return;
        this.#seen.add(content);
      }
      if (!this.protocol.receive(content, buffers)) return;
      this.gone = false;
    }
    #ended(flight, outcome) {
      this.partial = null;
      const still = this.wanted !== null && keyOf(this.wanted) === keyOf(flight.want);
      switch (outcome.kind) {
        case "done":
          if (!still) return;
          this.#arrivesAs = outcome.key || keyOf(flight.want);
          this.#arrived();
          return;
        case "gone":
          this.gone = true;
          this.wanted = null;
          return;
        case "error":
          if (!still) return;
          this.wanted = null;
          this.trouble = outcome;
          return;
        case "cancelled":
          if (still) this.wanted = null;
      }
    }
    /** Shows what was asked for once it is really here, in whichever order reply and traits came. */
    #arrived() {
      const key = this.#arrivesAs;
      const header = key === null ? null : this.header(key);
      if (key === null || !header || !this.load(header)) return;
      this.#arrivesAs = null;
      this.wanted = null;
      if (this.shown === key) return;
      this.set("shown", key);
      this.save();
    }
    #forgive() {
      this.trouble = null;
      const { trouble } = this.status;
      this.#dismissed = trouble.message + trouble.traceback;
    }
    #drawn(action) {
      const visible = this.#visible.size > 0 && globalThis.document?.visibilityState !== "hidden";
      if (!visible) action(false);
      else requestAnimationFrame(() => requestAnimationFrame(() => action(true)));
    }
    #changed() {
      for (const listener of [...this.#listeners]) listener();
    }
  };

  // js/src/state/registry.ts
  var known = /* @__PURE__ */ new WeakMap();
  var live = /* @__PURE__ */ new Set();
  function join(raw) {
    const model2 = new Model(raw);
    let store = known.get(raw);
    if (!store?.attached) store = [...live].find((one) => one.isOf(model2)) ?? new Store();
    known.set(raw, store);
    live.add(store);
    const joined = store;
    const detach = joined.attach(model2);
    return {
      store: joined,
      leave: () => {
        detach();
        if (!joined.attached) live.delete(joined);
      }
    };
  }

  // js/src/view/dom.ts
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
    for (const child of children) if (child) element.append(child);
    return element;
  }
  function setAttribute(element, name, value) {
    if (value === null || value === void 0 || value === false) {
      if (element.hasAttribute(name)) element.removeAttribute(name);
      return;
    }
    const text2 = value === true ? "" : String(value);
    if (element.getAttribute(name) !== text2) element.setAttribute(name, text2);
  }
  function setText(node, text2) {
    if (node.textContent !== text2) node.textContent = text2;
  }
  function oncePerFrame(signal, action) {
    let asked = false;
    return () => {
      if (asked || signal.aborted) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        if (!signal.aborted) action();
      });
    };
  }
  var made = 0;
  function uniqueId(prefix) {
    made += 1;
    return `${prefix}-${made}`;
  }

  // js/src/view/announcer.ts
  var PAUSE = 1e3;
  var Announcer = class {
    constructor(signal) {
      this.signal = signal;
      signal.addEventListener("abort", () => this.#timer !== null && clearTimeout(this.#timer));
    }
    signal;
    element = make("div", { class: "spoken", "aria-live": "polite", role: "status" });
    #next = null;
    #timer = null;
    say(words) {
      if (this.signal.aborted) return;
      this.#next = words;
      if (this.#timer === null) this.#speak();
    }
    #speak() {
      this.#timer = null;
      if (!this.#next) return;
      this.element.textContent = this.#next();
      this.#next = null;
      this.#timer = setTimeout(() => this.#speak(), PAUSE);
    }
  };

  // saliency_widget/display/colours.json
  var colours_default = {
    sequential: {
      inferno: "00000300000400000601000701010901010b02010e02021003021204031404031605041806041b07051d08061f0906210a07230b07260d08280e082a0f092d10092f120a32130a34140b36160b39170b3b190b3e1a0b401c0c431d0c451f0c47200c4a220b4c240b4e260b50270b52290b542b0a562d0a582e0a5a300a5c32095d34095f3509603709613909623b09643c09653e0966400966410967430a68450a69460a69480b6a4a0b6a4b0c6b4d0c6b4f0d6c500d6c520e6c530e6d550f6d570f6d58106d5a116d5b116e5d126e5f126e60136e62146e63146e65156e66156e68166e6a176e6b176e6d186e6e186e70196e72196d731a6d751b6d761b6d781c6d7a1c6d7b1d6c7d1d6c7e1e6c801f6b811f6b83206b85206a86216a88216a8922698b22698d23698e24689024689125679325679526669626669827659928649b28649c29639e2963a02a62a12b61a32b61a42c60a62c5fa72d5fa92e5eab2e5dac2f5cae305baf315bb1315ab23259b43358b53357b73456b83556ba3655bb3754bd3753be3852bf3951c13a50c23b4fc43c4ec53d4dc73e4cc83e4bc93f4acb4049cc4148cd4247cf4446d04544d14643d24742d44841d54940d64a3fd74b3ed94d3dda4e3bdb4f3adc5039dd5238de5337df5436e05634e25733e35832e45a31e55b30e65c2ee65e2de75f2ce8612be9622aea6428eb6527ec6726ed6825ed6a23ee6c22ef6d21f06f1ff0701ef1721df2741cf2751af37719f37918f47a16f57c15f57e14f68012f68111f78310f7850ef8870df8880cf88a0bf98c09f98e08f99008fa9107fa9306fa9506fa9706fb9906fb9b06fb9d06fb9e07fba007fba208fba40afba60bfba80dfbaa0efbac10fbae12fbb014fbb116fbb318fbb51afbb71cfbb91efabb21fabd23fabf25fac128f9c32af9c52cf9c72ff8c931f8cb34f8cd37f7cf3af7d13cf6d33ff6d542f5d745f5d948f4db4bf4dc4ff3de52f3e056f3e259f2e45df2e660f1e864f1e968f1eb6cf1ed70f1ee74f1f079f1f27df2f381f2f485f3f689f4f78df5f891f6fa95f7fb99f9fc9dfafda0fcfea4",
      viridis: "44015444025544035745055845065a45085b46095c460b5e460c5f460e61470f6247116347126547146647156747166947186a48196b481a6c481c6e481d6f481e70482071482172482273482374472575472676472777472878472a79472b7a472c7b462d7c462f7c46307d46317e45327f45347f453580453681443781443982433a83433b83433c84423d84423e854240854141864142864043874044873f45873f47883e48883e49893d4a893d4b893d4c893c4d8a3c4e8a3b508a3b518a3a528b3a538b39548b39558b38568b38578c37588c37598c365a8c365b8c355c8c355d8c345e8d345f8d33608d33618d32628d32638d31648d31658d31668d30678d30688d2f698d2f6a8d2e6b8e2e6c8e2e6d8e2d6e8e2d6f8e2c708e2c718e2c728e2b738e2b748e2a758e2a768e2a778e29788e29798e287a8e287a8e287b8e277c8e277d8e277e8e267f8e26808e26818e25828e25838d24848d24858d24868d23878d23888d23898d22898d228a8d228b8d218c8d218d8c218e8c208f8c20908c20918c1f928c1f938b1f948b1f958b1f968b1e978a1e988a1e998a1e998a1e9a891e9b891e9c891e9d881e9e881e9f881ea0871fa1871fa2861fa38620a48520a58521a68521a78422a78423a88323a98224aa8225ab8126ac8127ad8028ae7f29af7f2ab07e2bb17d2cb17d2eb27c2fb37b30b47a32b57a33b67935b77836b87738b97639b9763bba753dbb743ebc7340bd7242be7144be7045bf6f47c06e49c16d4bc26c4dc26b4fc36951c46853c56755c66657c66559c7645bc8625ec96160c96062ca5f64cb5d67cc5c69cc5b6bcd596dce5870ce5672cf5574d05477d05279d1517cd24f7ed24e81d34c83d34b86d44988d5478bd5468dd64490d64392d74195d73f97d83e9ad83c9dd93a9fd938a2da37a5da35a7db33aadb32addc30afdc2eb2dd2cb5dd2bb7dd29bade27bdde26bfdf24c2df22c5df21c7e01fcae01ecde01dcfe11cd2e11bd4e11ad7e219dae218dce218dfe318e1e318e4e318e7e419e9e419ece41aeee51bf1e51cf3e51ef6e61ff8e621fae622fde724",
      gray: "0000000101010202020303030404040505050606060707070808080909090a0a0a0b0b0b0c0c0c0d0d0d0e0e0e0f0f0f1010101111111212121313131414141515151616161717171818181919191a1a1a1b1b1b1c1c1c1d1d1d1e1e1e1f1f1f2020202020202222222323232424242424242626262727272828282828282a2a2a2b2b2b2c2c2c2c2c2c2e2e2e2f2f2f3030303030303232323333333434343434343636363737373838383838383a3a3a3b3b3b3c3c3c3c3c3c3e3e3e3f3f3f4040404141414141414343434444444545454646464747474848484949494949494b4b4b4c4c4c4d4d4d4e4e4e4f4f4f5050505151515151515353535454545555555656565757575858585959595959595b5b5b5c5c5c5d5d5d5e5e5e5f5f5f6060606161616161616363636464646565656666666767676868686969696969696b6b6b6c6c6c6d6d6d6e6e6e6f6f6f7070707171717171717373737474747575757676767777777878787979797979797b7b7b7c7c7c7d7d7d7e7e7e7f7f7f8080808181818282828383838383838585858686868787878888888989898a8a8a8b8b8b8c8c8c8d8d8d8e8e8e8f8f8f9090909191919292929393939393939595959696969797979898989999999a9a9a9b9b9b9c9c9c9d9d9d9e9e9e9f9f9fa0a0a0a1a1a1a2a2a2a3a3a3a3a3a3a5a5a5a6a6a6a7a7a7a8a8a8a9a9a9aaaaaaabababacacacadadadaeaeaeafafafb0b0b0b1b1b1b2b2b2b3b3b3b3b3b3b5b5b5b6b6b6b7b7b7b8b8b8b9b9b9babababbbbbbbcbcbcbdbdbdbebebebfbfbfc0c0c0c1c1c1c2c2c2c3c3c3c3c3c3c5c5c5c6c6c6c7c7c7c8c8c8c9c9c9cacacacbcbcbcccccccdcdcdcecececfcfcfd0d0d0d1d1d1d2d2d2d3d3d3d3d3d3d5d5d5d6d6d6d7d7d7d8d8d8d9d9d9dadadadbdbdbdcdcdcdddddddedededfdfdfe0e0e0e1e1e1e2e2e2e3e3e3e3e3e3e5e5e5e6e6e6e7e7e7e8e8e8e9e9e9eaeaeaebebebecececedededeeeeeeefefeff0f0f0f1f1f1f2f2f2f3f3f3f3f3f3f5f5f5f6f6f6f7f7f7f8f8f8f9f9f9fafafafbfbfbfcfcfcfdfdfdfefefeffffff"
    },
    diverging: {
      "blue-orange": "5fccfc5bcafc56c9fc52c7fb4dc6fb49c4fa44c3fa3fc1fa3ac0f935bef932bcf731bbf630b9f430b7f22fb6f12eb4ef2db2ed2cb0ec2bafea2aade82aabe729aae528a8e327a6e226a5e026a3de25a1dc24a0db239ed9239cd7229bd62199d42197d22096d01f94cf1f92cd1e91cb1d8fc91d8dc81c8cc61c8ac41b88c21b87c11a85bf1a84bd1982bb1980b9197fb8187db6187cb4177ab21778b11777af1675ad1674ab1672a91570a8156fa6156da4146ca2146aa014699e14679d13669b136499136397136195126093125e92125c90125b8e12598c12588a115788115586115484115283115181114f7f114e7d114c7b114b7911497710487510477310457110446f10426d10416b104069103e67103d65103b63103a6110395f10375d10365b113559113357113254113152113050112e4e112d4c112c49112b4711294511284211274011263e11243b112339112236122134122032121e2f111d2d111c2a111b28111a2511192311172011161e11151b1014191013171012141011120f0f0f12100f1411101611101812101b13101d13101f14102115102415102616102817102a170f2c180f2f180f31190f331a0f351a0f371b0f391c0f3b1c0e3d1d0e3f1e0e411f0e43200e45200e47210e49220e4b230e4d240d4f250d51250d53260d55270d57280d59290d5b2a0d5d2b0d5f2c0d612d0d622e0d642f0d66300e68310e6a330e6c340e6e350e6f360e71370e73380e75390e773a0f793c0f7b3d0f7c3e0f7e3f0f80400f8241108443108644108745108946118b48118d49118f4a11904b12924d12944e12964f139851139952139b53149d54149f5614a15715a25915a45a15a65b16a85d16aa5e17ab5f17ad6118af6218b16319b36519b4661ab6681ab8691bba6b1bbb6c1cbd6d1cbf6f1dc1701ec2721ec4731fc67520c87620c97821cb7922cd7b23cf7c24d07e24d27f25d48126d58227d78428d98529da872adc892ade8a2be08c2ce18d2de38f2ee5902fe69230e89431ea9532eb9733ed9834ef9a35f09c36f29d37f49f38f5a139f7a23af8a43ef8a643f9a947faab4c",
      "blue-white-orange": "1d50b41e51b51e53b61f54b71f55b82057b92058ba215abb215bbd225cbe225ebf235fc02361c12462c22463c42565c52566c62667c72669c8276aca276ccb286dcc286ecd2970cf2971d02a72d12a74d22b75d32b77d52c78d62d79d72d7bd82e7cd92f7ddb2f7fdc3080dd3182de3183df3284e03386e13487e33589e4368ae5378be6378de7388ee83990e93a91ea3c92ea3e94eb4095ec4197ec4398ed4599ed479bed499cee4b9eee4d9fef4ea0ef50a2f052a3f054a5f056a6f158a7f15aa9f15caaf25eabf260adf263aef365b0f367b1f369b2f36bb4f46db5f46fb6f471b7f473b9f576baf578bbf57abdf57cbef57ebff681c1f683c2f685c3f687c4f68ac6f68cc7f78ec8f791c9f793cbf795ccf797cdf79acef79cd0f89fd1f8a1d2f8a3d3f8a6d4f8a8d6f8aad7f8add8f8afd9f8b2daf8b4dcf8b7ddf8b9def9bbdff9bee0f9c0e1f9c3e2f9c6e4f9c8e5f9cbe6f9cde7f9d0e8f8d2e9f8d5eaf8d8ebf8dbecf8ddedf8e0eef8e3eff7e6f0f7e9f1f7ecf2f6eff3f6f2f4f5f5f5f5f5f3f2f5f2eef5f0ebf6eee8f6ede5f6ebe2f6e9def6e8dbf6e6d8f6e4d5f6e3d2f6e1cff6dfccf6dec9f6dcc6f6dac3f6d9c0f6d7bdf5d5bbf5d4b8f5d2b5f5d0b2f5cfaff5cdacf5cbaaf5caa7f4c8a4f4c6a1f4c49ff4c39cf4c199f3bf96f3be94f3bc91f3ba8ef3b88cf2b789f2b586f2b384f2b181f1b07ef1ae7cf1ac79f0aa76f0a974f0a771f0a56eefa36cefa169efa066ee9e64ee9c61ed9a5fed985ced9759ec9557ec9354eb9151eb8f4fea8e4de98c4be88b49e78948e68846e58644e58443e48341e3813fe2803ee07e3cdf7d3bde7b39dd7a38dc7937db7735da7634d97433d77332d67231d5702fd46f2ed36d2dd16c2cd06b2bcf692ace6829cc6728cb6527ca6426c86326c76225c66024c45f23c35e22c25c22c05b21bf5a20be5920bc581fbb561eb9551eb8541db7531cb5511cb4501bb24f1bb14e1aaf4d19ae4c19ad4a18ab4918aa4817a84717a74616a64515a44315a34214a14114a040139e3f139d3e129c3d129a3b11993a1197391096381094370f93360f"
    }
  };

  // js/src/map/colour.ts
  var DEFAULT_TABLE = { absolute: "inferno", signed: "blue-orange" };
  var parsed = /* @__PURE__ */ new Map();
  function parse(name, hex) {
    const entries = hex.length / 6;
    const rgb = new Uint8Array(3 * entries);
    for (let i = 0; i < rgb.length; i++) rgb[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
    const rgba = new Uint8Array(4 * entries).fill(255);
    for (let i = 0; i < entries; i++) rgba.set(rgb.subarray(3 * i, 3 * i + 3), 4 * i);
    return { name, rgb, packed: new Uint32Array(rgba.buffer) };
  }
  function tableFor(sign, name = DEFAULT_TABLE[sign]) {
    const tables = sign === "absolute" ? colours_default.sequential : colours_default.diverging;
    const known2 = tables[name] === void 0 ? DEFAULT_TABLE[sign] : name;
    const key = `${sign}/${known2}`;
    let table2 = parsed.get(key);
    if (!table2) {
      table2 = parse(known2, tables[known2]);
      parsed.set(key, table2);
    }
    return table2;
  }
  function heat(value, level) {
    if (level === 0) return Number.isNaN(value) ? value : 0;
    return Math.fround(Math.max(-1, Math.min(1, value / level)));
  }
  function entry(value, level, sign) {
    const h = heat(value, level);
    return sign === "absolute" ? Math.floor(h * 255 + 0.5) : Math.floor(h * 128 + 0.5) + 128;
  }

  // js/src/map/format.ts
  var MINUS = "−";
  var NBSP = " ";
  function number3(value) {
    if (Number.isNaN(value)) return "not a number";
    if (!Number.isFinite(value)) return value > 0 ? "infinite" : `${MINUS}infinite`;
    if (value === 0) return "0";
    const magnitude = Math.abs(value);
    const text2 = magnitude >= 1e-3 && magnitude < 99950 ? Number(magnitude.toPrecision(3)) >= 1e3 ? Number(magnitude.toPrecision(3)).toString() : magnitude.toPrecision(3) : magnitude.toExponential(2).replace("e+", "e").replace("e-", `e${MINUS}`);
    return value < 0 ? MINUS + text2 : text2;
  }
  function signed3(value) {
    return value > 0 ? `+${number3(value)}` : number3(value);
  }
  function percent(value) {
    if (value <= 0) return `0${NBSP}%`;
    if (value >= 100) return `100${NBSP}%`;
    if (value < 0.01) return `<0.01${NBSP}%`;
    if (value > 99.9) return `${(Math.floor(value * 100) / 100).toFixed(2)}${NBSP}%`;
    const text2 = value < 1 ? Number(value.toPrecision(2)).toString() : Number(value.toFixed(1)).toString();
    return text2 + NBSP + "%";
  }
  function count(value) {
    return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
  }
  function ordinal(value) {
    if (!Number.isInteger(value)) return `${Number(value.toPrecision(4))}th`;
    const tens = value % 100;
    if (tens >= 10 && tens <= 20) return `${value}th`;
    return value + (["th", "st", "nd", "rd"][value % 10] ?? "th");
  }
  function shorten(text2, most = 60) {
    const characters = Array.from(text2.slice(0, 4 * most));
    return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : text2;
  }
  function seconds(value) {
    return value < 0.995 ? `${Number(value.toPrecision(2))}${NBSP}s` : `${Number(value.toFixed(1))}${NBSP}s`;
  }

  // js/src/view/bar.ts
  var WIDTH = 514;
  var Bar = class {
    element;
    #canvas = make("canvas", { class: "bar", width: WIDTH, height: 1, "aria-hidden": "true" });
    #left = make("span", { class: "from" });
    #middle = make("span", { class: "mid" });
    #right = make("span", { class: "to" });
    #words = make("p", { class: "quiet scale" });
    #drawn = "";
    constructor() {
      const ticks2 = make("div", { class: "ticks" }, this.#left, this.#middle, this.#right);
      this.element = make("div", { class: "colourbar", role: "group", "aria-label": "Colour bar" });
      this.element.append(this.#canvas, ticks2, this.#words);
    }
    forget() {
      this.#drawn = "";
    }
    update(scene) {
      const { drawn, sign, clip } = scene;
      const level = drawn?.level ?? 0;
      const signed = sign === "signed";
      setAttribute(this.element, "data-level", drawn ? level : null);
      setAttribute(this.element, "data-sign", sign);
      const [left, middle, right] = ticks(drawn ? level : null, signed);
      setText(this.#left, left);
      setText(this.#middle, middle);
      setText(this.#right, right);
      setText(this.#words, drawn ? scaleWords(scene, clip) : "");
      this.#draw(scene);
    }
    #draw(scene) {
      const { drawn, sign } = scene;
      const level = drawn?.level ?? 0;
      const cut2 = drawn && level > 0 ? drawn.kept.cut / level : 0;
      const state = `${sign} ${drawn?.table.name} ${level > 0} ${cut2}`;
      if (state === this.#drawn) return;
      this.#drawn = state;
      const pen = this.#canvas.getContext("2d");
      if (!pen) return;
      const data = new ImageData(WIDTH, 1);
      const pixels = new Uint32Array(data.data.buffer);
      for (let x = 0; drawn && level > 0 && x < WIDTH; x++) {
        const at = x / (WIDTH - 1);
        const value = sign === "signed" ? 2 * at - 1 : at;
        const hidden = Math.abs(value) < Math.min(cut2, 1) || cut2 === Number.POSITIVE_INFINITY;
        if (!hidden) pixels[x] = drawn.table.packed[entry(value, 1, sign)];
      }
      pen.putImageData(data, 0, 0);
    }
  };
  function ticks(level, signed) {
    if (level === null) return ["", "", ""];
    if (level === 0) return signed ? ["", "0", ""] : ["0", "", ""];
    if (!signed) return ["0", number3(level / 2), number3(level)];
    return [`${number3(-level)} lowers the score`, "0", `raises the score ${signed3(level)}`];
  }
  function scaleWords(scene, clip) {
    const { header, level } = scene.drawn;
    const channels = header.shape[0];
    const parts = [header.unit || "no unit given"];
    if (level === 0) return `${parts[0]}; every value is zero`;
    if (channels > 1) {
      parts.push(
        scene.sign === "absolute" ? `largest |value| of ${channels} channels` : `sum of ${channels} channels`
      );
    }
    parts.push(`clipped at the ${ordinal(clip)} percentile of |value|`, "scale: this map");
    if (header.reducedFrom) parts.push(`reduced from ${header.reducedFrom[1]} × ${header.reducedFrom[0]}`);
    return parts.join(" · ");
  }

  // js/src/view/combobox.ts
  var MOST2 = 50;
  var Combobox = class {
    constructor(name, signal, chosen) {
      this.chosen = chosen;
      const id = uniqueId("combobox");
      this.#list = make("ul", { role: "listbox", id: `${id}-list`, "aria-label": name });
      this.#popup = make("div", { class: "popup", hidden: true }, this.#list, this.#more);
      this.#input = make("input", {
        type: "text",
        id,
        role: "combobox",
        "aria-autocomplete": "list",
        "aria-expanded": "false",
        "aria-controls": `${id}-list`,
        autocomplete: "off",
        autocapitalize: "off",
        spellcheck: "false"
      });
      this.element = make(
        "div",
        { class: "combobox" },
        make("label", { for: id }, name),
        make("div", { class: "box" }, this.#input, this.#popup)
      );
      let focused = false;
      const input = this.#input;
      input.addEventListener("pointerdown", () => focused = root(input).activeElement === input, { signal });
      input.addEventListener(
        "click",
        () => {
          if (!focused) input.select();
          this.#show(true);
        },
        { signal }
      );
      input.addEventListener("input", () => this.#show(false), { signal });
      input.addEventListener("keydown", (event) => this.#key(event), { signal });
      input.addEventListener("blur", () => this.#restore(), { signal });
      this.#popup.addEventListener("pointerdown", (event) => event.preventDefault(), { signal });
      this.#popup.addEventListener("mousedown", (event) => event.preventDefault(), { signal });
      this.#list.addEventListener(
        "click",
        (event) => {
          const option = event.target.closest("[role=option]");
          if (option) this.#choose(Number(option.getAttribute("data-at")));
        },
        { signal }
      );
    }
    chosen;
    element;
    #input;
    #list;
    #popup;
    #more = make("p", { class: "quiet more" });
    #choices = null;
    #matches = [];
    #active = -1;
    #open = false;
    #name = "";
    /** `name` is what stands in the box when nobody types. */
    update(choices, name) {
      this.#choices = choices;
      if (name === this.#name) return;
      this.#name = name;
      if (!this.#open) this.#input.value = name;
    }
    #show(all) {
      if (!this.#choices) return;
      const typed = all && this.#input.value === this.#name ? "" : this.#input.value;
      const { matches, total } = this.#choices.labels.find(typed, MOST2, this.#choices.first);
      this.#matches = matches;
      this.#list.replaceChildren(...matches.map((index, at) => this.#option(index, at)));
      const rest = total - matches.length;
      const words = total === 0 ? "No class has this in its name." : rest > 0 ? `${count(rest)} more: type to narrow.` : "";
      setText(this.#more, words);
      this.#more.hidden = words === "";
      this.#expand(true);
      this.#activate(typed === "" ? -1 : matches.length > 0 ? 0 : -1);
    }
    #option(index, at) {
      const { labels: labels2, can } = this.#choices;
      const name = make("span", { class: "name" }, shorten(labels2.name(index), 200));
      return make(
        "li",
        {
          role: "option",
          id: `${this.#list.id}-${at}`,
          "data-at": at,
          "data-index": index,
          "aria-selected": "false",
          "aria-disabled": can(index) ? null : "true"
        },
        name,
        make("span", { class: "quiet" }, String(index))
      );
    }
    #expand(open) {
      this.#open = open;
      this.#popup.hidden = !open;
      setAttribute(this.#input, "aria-expanded", String(open));
      if (open) this.#position();
      else this.#activate(-1);
    }
    /** Upwards where the widget has more room there: what hangs out of an output would be cut off. */
    #position() {
      const box = this.#input.getBoundingClientRect();
      const widget = this.element.closest(".widget")?.getBoundingClientRect();
      if (!widget) return;
      const below = widget.bottom - box.bottom;
      const above = box.top - widget.top;
      const up = below < 220 && above > below;
      setAttribute(this.#popup, "data-up", up);
      this.#popup.style.maxHeight = `${Math.round(Math.min(280, Math.max(160, (up ? above : below) - 8)))}px`;
    }
    #activate(at) {
      const options = this.#list.children;
      options[this.#active]?.setAttribute("aria-selected", "false");
      this.#active = at;
      const option = options[at];
      option?.setAttribute("aria-selected", "true");
      option?.scrollIntoView?.({ block: "nearest" });
      setAttribute(this.#input, "aria-activedescendant", option?.id);
    }
    #key(event) {
      if (event.isComposing || event.ctrlKey || event.metaKey) return;
      const last = this.#matches.length - 1;
      switch (event.key) {
        case "ArrowDown":
          if (!this.#open) this.#show(true);
          if (!event.altKey) this.#activate(this.#active >= last ? 0 : this.#active + 1);
          break;
        case "ArrowUp":
          if (!this.#open) this.#show(true);
          if (event.altKey) this.#expand(false);
          else this.#activate(this.#active <= 0 ? last : this.#active - 1);
          break;
        case "Enter":
          if (this.#open && this.#active >= 0) this.#choose(this.#active);
          break;
        case "Escape":
          if (!this.#open && this.#input.value === this.#name) return;
          this.#restore();
          break;
        default:
          return;
      }
      event.preventDefault();
    }
    #choose(at) {
      const index = this.#matches[at];
      if (index === void 0 || !this.#choices?.can(index)) return;
      this.#name = this.#choices.labels.name(index);
      this.#restore();
      this.chosen(index);
    }
    #restore() {
      this.#expand(false);
      this.#input.value = this.#name;
    }
  };
  function root(element) {
    return element.getRootNode();
  }

  // js/src/view/classes.ts
  var Classes = class {
    element;
    #combobox;
    #list = make("ul", { class: "classes", "aria-label": "Classes" });
    #rest = make(
      "p",
      { class: "quiet" },
      "Without a kernel, only the classes that are here can be shown."
    );
    #buttons = /* @__PURE__ */ new Map();
    constructor(store, signal) {
      this.#combobox = new Combobox("Class", signal, (index) => store.choose(index));
      this.#list.addEventListener(
        "click",
        (event) => {
          const button = event.target.closest("button");
          if (button) store.choose(Number(button.dataset.index));
        },
        { signal }
      );
      this.element = make("section", { class: "choose", "aria-label": "Class" });
      this.element.append(this.#combobox.element, this.#list, this.#rest);
    }
    update(scene) {
      const { store, labels: labels2, info, drawn } = scene;
      const can = (index) => store.canAsk || store.held(index) !== null;
      const rows = rowsOf(scene);
      const shown = drawn?.header.target.index ?? null;
      const wanted = store.wanted?.target.index ?? null;
      this.#arrange(rows);
      for (const row of rows) {
        const button = this.#buttons.get(row.index);
        const [name, meter, number] = [...button.children];
        setText(name, shorten(row.label, 200));
        setAttribute(name, "title", row.label.slice(0, 500));
        meter.style.setProperty("--share", String(Math.max(0, Math.min(1, row.probability ?? 0))));
        setText(number, row.probability === null ? "" : percent(100 * row.probability));
        setAttribute(button, "aria-pressed", String(row.index === shown));
        setAttribute(button, "aria-busy", row.index === wanted ? "true" : null);
        setAttribute(button, "data-held", store.held(row.index) !== null);
        button.disabled = !can(row.index);
      }
      this.#rest.hidden = store.canAsk;
      const first = rows.map((row) => row.index);
      const named = wanted ?? shown ?? info.prediction[0]?.index ?? null;
      this.#combobox.update({ labels: labels2, first, can }, named === null ? "" : labels2.name(named));
    }
    #arrange(rows) {
      const now = rows.map((row) => row.index);
      if (now.join() === [...this.#buttons.keys()].join()) return;
      const known2 = new Map(this.#buttons);
      this.#buttons.clear();
      for (const index of now) this.#buttons.set(index, known2.get(index) ?? rowButton(index));
      for (const [index, button] of known2) if (!this.#buttons.has(index)) button.parentElement?.remove();
      [...this.#buttons.values()].forEach((button, at) => {
        const item = button.parentElement ?? make("li", {}, button);
        if (this.#list.children[at] !== item) this.#list.insertBefore(item, this.#list.children[at] ?? null);
      });
    }
  };
  function rowButton(index) {
    return make(
      "button",
      { type: "button", "data-index": index },
      make("span", { class: "name" }),
      make("span", { class: "meter", "aria-hidden": "true" }),
      make("span", { class: "number" })
    );
  }
  function rowsOf({ store, info, labels: labels2 }) {
    const rows = /* @__PURE__ */ new Map();
    for (const one of info.prediction) rows.set(one.index, one);
    for (const header of store.headers) {
      const { index, label } = header.target;
      if (index !== null && !rows.has(index) && store.held(index) === header) {
        rows.set(index, { index, label, probability: header.probability });
      }
    }
    const wanted = store.wanted?.target.index;
    if (wanted !== void 0 && !rows.has(wanted)) {
      rows.set(wanted, { index: wanted, label: labels2.name(wanted), probability: null });
    }
    return [...rows.values()];
  }

  // js/src/map/scale.ts
  var STEPS = 300;
  var DECADES = 3;
  function percentAt(position) {
    const bounded = Math.max(0, Math.min(STEPS, position));
    return Number((100 * 10 ** (-DECADES * bounded / STEPS)).toPrecision(3));
  }
  function positionOf(percent2) {
    if (!(percent2 > 0)) return STEPS;
    const position = Math.round(-Math.log10(Math.min(percent2, 100) / 100) * STEPS / DECADES);
    return Math.max(0, Math.min(STEPS, position));
  }

  // js/src/view/controls.ts
  var Controls = class {
    element;
    #signs = {};
    #threshold = make("input", { type: "range", min: 0, max: STEPS, step: 1 });
    #opacity = make("input", { type: "range", min: 0, max: 100, step: 1 });
    #area = make("output", { "data-field": "area", "aria-live": "off" });
    #mass = make("output", { "data-field": "mass", "aria-live": "off", class: "quiet" });
    #percent = make("output", { "data-field": "opacity", "aria-live": "off" });
    constructor(store, signal) {
      const group = make("fieldset", { class: "sign" }, make("legend", {}, "Sign"));
      const name = uniqueId("sign");
      const options = make("div", { class: "options" });
      for (const sign of ["absolute", "signed"]) {
        const radio = make("input", { type: "radio", name, value: sign });
        radio.addEventListener(
          "change",
          () => {
            store.set("sign", sign);
            store.save();
          },
          { signal }
        );
        this.#signs[sign] = radio;
        options.append(make("label", {}, radio, make("span", {}, sign)));
      }
      group.append(options);
      drag(this.#threshold, store, signal, "threshold", percentAt);
      drag(this.#opacity, store, signal, "opacity", (position) => position / 100);
      this.element = make(
        "section",
        { class: "controls", "aria-label": "View" },
        group,
        slider("Threshold", this.#threshold, this.#area, this.#mass),
        slider("Opacity", this.#opacity, this.#percent)
      );
    }
    update(scene) {
      for (const [sign, radio] of Object.entries(this.#signs)) radio.checked = sign === scene.sign;
      const { drawn, threshold, opacity } = scene;
      if (percentAt(this.#threshold.valueAsNumber) !== threshold) {
        this.#threshold.value = String(positionOf(threshold));
      }
      if (this.#opacity.valueAsNumber / 100 !== opacity)
        this.#opacity.value = String(Math.round(100 * opacity));
      const area = drawn ? drawn.kept.area : threshold / 100;
      const mass = drawn?.kept.mass ?? null;
      setText(this.#area, area > 0 ? `strongest ${percent(100 * area)} of the area` : "hides everything");
      setAttribute(this.#area, "data-value", area);
      setAttribute(this.#area, "data-count", drawn?.kept.count);
      setText(
        this.#mass,
        !drawn ? "" : mass === null ? "every value is zero" : `shows ${percent(100 * mass)} of the total |value|`
      );
      setAttribute(this.#mass, "data-value", mass);
      setText(this.#percent, percent(100 * opacity));
      setAttribute(this.#threshold, "aria-valuetext", keptWords(area, mass));
      setAttribute(this.#opacity, "aria-valuetext", percent(100 * opacity));
    }
  };
  function keptWords(area, mass) {
    if (area === 0) return "keeps nothing";
    const share = mass === null ? "" : `, ${percent(100 * mass)} of the total`;
    return `keeps the strongest ${percent(100 * area)} of the area${share}`;
  }
  function drag(input, store, signal, trait, valueAt) {
    let moved = false;
    const apply = () => {
      if (!moved) return;
      moved = false;
      store.set(trait, valueAt(input.valueAsNumber));
    };
    const soon = oncePerFrame(signal, apply);
    input.addEventListener(
      "input",
      () => {
        moved = true;
        soon();
      },
      { signal }
    );
    input.addEventListener(
      "change",
      () => {
        apply();
        store.save();
      },
      { signal }
    );
  }
  function slider(name, input, says, more) {
    const id = uniqueId("slider");
    input.id = id;
    const head = make("div", { class: "head" }, make("label", { for: id }, name), says);
    return make("div", { class: "slider" }, head, input, more ?? null);
  }

  // js/src/view/header.ts
  var Header = class {
    element;
    #label = make("strong", { "data-field": "prediction" });
    #probability = make("span", { "data-field": "probability" });
    #model = make("p", { class: "quiet model" });
    constructor() {
      const says = make("p", { class: "says" }, "The model says ", this.#label, " ", this.#probability);
      this.element = make("header", {}, says, this.#model);
    }
    update({ info }) {
      const [best] = info.prediction;
      this.element.hidden = !best;
      setText(this.#label, shorten(best?.label ?? ""));
      const probability2 = best?.probability ?? null;
      setText(this.#probability, probability2 === null ? "" : `with probability ${percent(100 * probability2)}`);
      setAttribute(this.#probability, "data-value", probability2);
      setText(this.#model, [info.model, ...info.notes].filter(Boolean).join(" · "));
      setAttribute(this.#model, "title", info.preprocess ? `Preprocessing: ${info.preprocess}` : null);
    }
  };

  // js/src/view/keys.ts
  var ATTRIBUTE = "data-lm-suppress-shortcuts";
  var TYPED = /* @__PURE__ */ new Set(["text", "number", "search"]);
  function guardKeys(host, root2, signal) {
    const on = () => host.setAttribute(ATTRIBUTE, "true");
    const typing = () => root2.activeElement instanceof HTMLInputElement && TYPED.has(root2.activeElement.type);
    const held = (event) => event.key === "Control" || event.key === "Meta";
    on();
    host.addEventListener(
      "keydown",
      (event) => {
        if (held(event) && !typing()) host.removeAttribute(ATTRIBUTE);
      },
      { capture: true, signal }
    );
    host.addEventListener("keyup", (event) => held(event) && on(), { capture: true, signal });
    host.addEventListener("focusin", on, { signal });
    host.addEventListener("focusout", on, { signal });
    window.addEventListener("blur", on, { signal });
  }

  // js/src/view/notices.ts
  var Notices = class {
    element;
    #title = make("h3", { class: "title" });
    #line = make("p", { class: "quiet line", "data-field": "state" });
    #alert = make("p", { class: "line alert", role: "alert" });
    #stop = make("button", { type: "button", class: "stop" }, "Stop");
    #sentence = make("p");
    #traceback = make("pre", { tabindex: 0, role: "region", "aria-label": "Traceback" });
    #details = make("details", { class: "details" }, make("summary", { class: "stop" }, "Traceback"));
    constructor(store, signal) {
      this.#stop.addEventListener("click", () => store.stop(), { signal });
      this.#details.append(make("div", { class: "sheet" }, this.#sentence, this.#traceback));
      this.#details.addEventListener(
        "keydown",
        (event) => {
          if (event.key !== "Escape" || !this.#details.open) return;
          this.#details.open = false;
          this.#details.querySelector("summary")?.focus();
        },
        { signal }
      );
      const words = make("div", { class: "words" }, this.#title, this.#line, this.#alert);
      this.element = make("div", { class: "notices" }, words, this.#stop, this.#details);
    }
    update({ notice }) {
      const { title, line, stop, trouble } = notice;
      setText(this.#title, title);
      setAttribute(this.#title, "title", title);
      setText(this.#line, line);
      setAttribute(this.#line, "title", line || null);
      this.#line.hidden = trouble !== null;
      this.#alert.hidden = trouble === null;
      setText(this.#alert, trouble?.message ?? "");
      setAttribute(this.#alert, "title", trouble?.message);
      this.#stop.style.visibility = stop ? "visible" : "hidden";
      this.#stop.hidden = trouble !== null;
      this.#details.hidden = trouble === null;
      setText(this.#sentence, trouble?.message ?? "");
      setText(this.#traceback, trouble?.traceback ?? "");
      this.#traceback.hidden = !trouble?.traceback;
      if (!trouble) this.#details.open = false;
    }
  };

  // js/src/view/readout.ts
  var Readout = class {
    element;
    #row = numberInput("Row");
    #column = numberInput("Column");
    #swatch = make("span", { class: "swatch", "aria-hidden": "true" });
    #pixel = field("pixel");
    #value = field("value");
    #unit = field("unit");
    #sign = field("sign");
    #rank = field("rank");
    #channels = make("div", { class: "channels" });
    constructor(signal, moved) {
      const pixel = make("span", { class: "pixel", title: "The pixel's colour, red, green, blue, 0 to 255" });
      pixel.append(this.#swatch, this.#pixel);
      this.element = make(
        "section",
        { class: "readout", "aria-label": "At the crosshair" },
        make("div", { class: "place" }, labelled("Row", this.#row), labelled("Column", this.#column), pixel),
        make("p", { class: "value" }, this.#value, this.#unit),
        make("p", { class: "line" }, this.#sign),
        make("p", { class: "line" }, this.#rank),
        this.#channels
      );
      const read = () => {
        const row = Number.parseInt(this.#row.value, 10);
        const column = Number.parseInt(this.#column.value, 10);
        if (Number.isInteger(row) && Number.isInteger(column)) moved({ row, column });
      };
      for (const input of [this.#row, this.#column]) {
        input.addEventListener("input", read, { signal });
        input.addEventListener("change", () => this.#restore(), { signal });
      }
    }
    #place = { row: 0, column: 0 };
    update(scene, place) {
      const { info, drawn } = scene;
      this.#place = place;
      this.#row.max = String(Math.max(0, info.height - 1));
      this.#column.max = String(Math.max(0, info.width - 1));
      const root2 = this.element.getRootNode();
      for (const [input, value] of [
        [this.#row, place.row],
        [this.#column, place.column]
      ]) {
        if (root2.activeElement !== input || input.value !== "") write(input, value);
      }
      this.#showPixel(scene, place);
      this.#showValue(drawn, scene, place);
    }
    /** The reading in one sentence. */
    words() {
      const parts = [
        this.#value.textContent,
        this.#unit.textContent,
        this.#sign.textContent,
        this.#rank.textContent
      ];
      return parts.filter(Boolean).join(", ");
    }
    #restore() {
      write(this.#row, this.#place.row);
      write(this.#column, this.#place.column);
    }
    #showPixel(scene, place) {
      const { width, height } = scene.info;
      const bytes = toBytes(scene.image);
      const at = 3 * (place.row * width + place.column);
      const known2 = bytes !== null && bytes.length === 3 * width * height && at + 2 < bytes.length;
      const rgb = known2 ? [...bytes.subarray(at, at + 3)] : null;
      this.#swatch.style.background = rgb ? `rgb(${rgb})` : "none";
      setText(this.#pixel, rgb ? rgb.join(" ") : "");
      setAttribute(this.#pixel, "data-value", rgb?.join(","));
    }
    #showValue(drawn, scene, place) {
      const at = drawn ? positionIn(drawn, scene, place) : -1;
      const value = drawn?.field.values[at];
      const rank = drawn?.field.rank(at) ?? null;
      const none = value === void 0;
      setText(this.#value, none ? "–" : scene.sign === "signed" ? signed3(value) : number3(value));
      setAttribute(this.#value, "data-value", none ? null : value);
      setText(this.#unit, drawn?.header.unit ?? "");
      setText(this.#sign, drawn && !none ? signWords(drawn, scene, at, value) : "");
      setAttribute(this.#sign, "title", this.#sign.textContent || null);
      setText(
        this.#rank,
        rank ? `rank ${count(rank.rank)} of ${count(rank.of)}: ${stronger(rank.percentile)}` : ""
      );
      setAttribute(this.#rank, "data-value", rank?.rank);
      setAttribute(this.#rank, "data-percentile", rank?.percentile);
      this.#showChannels(drawn, scene, at);
    }
    #showChannels(drawn, scene, at) {
      const shown = Math.min(drawn?.header.shape[0] ?? 3, 4);
      while (this.#channels.children.length > shown) this.#channels.lastElementChild?.remove();
      while (this.#channels.children.length < shown) {
        this.#channels.append(make("span", {}, make("span", { class: "quiet" }), field("channel")));
      }
      for (let c = 0; c < shown; c++) {
        const [name, number] = [...this.#channels.children[c].children];
        const value = drawn && at >= 0 ? channelValue(drawn, c, at) : void 0;
        setText(name, channelName(scene, c));
        setText(number, value === void 0 ? "–" : signed3(value));
        setAttribute(number, "data-channel", channelName(scene, c));
        setAttribute(number, "data-value", value);
      }
    }
  };
  function positionIn(drawn, { info }, place) {
    const { width, height } = drawn.field;
    const across = info.width || width;
    const down = info.height || height;
    const row = Math.min(height - 1, Math.floor((place.row + 0.5) * height / down));
    return row * width + Math.min(width - 1, Math.floor((place.column + 0.5) * width / across));
  }
  function channelValue(drawn, channel, at) {
    return drawn.loaded.values[channel * drawn.field.values.length + at];
  }
  function channelName(scene, channel) {
    return scene.info.channels[channel] ?? String(channel + 1);
  }
  function signWords(drawn, scene, at, value) {
    const score = shorten(drawn.header.target.text);
    if (Number.isNaN(value)) return "this pixel's gradient is not finite";
    if (value === 0) return `neither raises nor lowers the ${score}`;
    if (scene.sign === "signed") return `${value > 0 ? "raises" : "lowers"} the ${score}`;
    let strongest2 = 0;
    for (let c = 1; c < drawn.header.shape[0]; c++) {
      if (Math.abs(channelValue(drawn, c, at)) > Math.abs(channelValue(drawn, strongest2, at))) strongest2 = c;
    }
    const does = channelValue(drawn, strongest2, at) > 0 ? "raises" : "lowers";
    if (drawn.header.shape[0] === 1) return `${does} the ${score}`;
    return `strongest in ${channelName(scene, strongest2)}, which ${does} the ${score}`;
  }
  function stronger(percentile) {
    return percentile === 0 ? "stronger than none" : `stronger than ${percent(percentile)}`;
  }
  function field(name) {
    return make("output", { "data-field": name, "aria-live": "off" });
  }
  function numberInput(name) {
    return make("input", { type: "number", min: 0, step: 1, value: 0, title: `${name}, counted from 0` });
  }
  function labelled(name, input) {
    return make("label", {}, make("span", {}, name), input);
  }
  function write(input, value) {
    if (input.valueAsNumber !== value) input.value = String(value);
  }

  // js/src/view/notice.ts
  var BUSY = "The kernel is busy or gone; your request waits.";
  var GONE = "The kernel is gone. Looking still works.";
  var ZERO = "The score does not depend on any pixel here: every gradient is zero.";
  function noticeOf(store, drawn) {
    const { protocol, status } = store;
    const trouble = store.trouble ?? store.statusTrouble;
    const flight = protocol.flight && protocol.flight.phase !== "stopping" ? protocol.flight : null;
    const asked = protocol.pending ?? flight;
    const title = titleOf(store, drawn);
    const common = { title, trouble, old: false, stop: false };
    if (asked) {
      const waits = flight?.phase === "waiting" && !protocol.pending;
      const line = waits ? BUSY : `Computing ${shorten(asked.label)} …${progress(store)}`;
      return { ...common, line, old: drawn !== null && !store.partial, stop: true };
    }
    if (store.gone) return { ...common, line: GONE };
    if (status.state === "computing") {
      const what = status.label ? shorten(status.label) : "a map";
      const line = drawn ? `Computing ${what} …` : "The first map is being computed …";
      return { ...common, line, old: drawn !== null };
    }
    return { ...common, line: drawn ? detailsOf(drawn) : emptyLine(store) };
  }
  function titleOf(store, drawn) {
    if (!drawn) return "No map yet";
    const { method, target } = drawn.header;
    const of = `${method.label} map of the ${shorten(target.text)}`;
    return store.partial ? `${of}, ${progressWords(store)}` : of;
  }
  function progress(store) {
    const words = store.partial ? "" : progressWords(store);
    return words && ` ${words}`;
  }
  function progressWords(store) {
    const { flight } = store.protocol;
    return flight && flight.total > 1 ? `${count(flight.done)} of ${count(flight.total)}` : "";
  }
  function emptyLine(store) {
    if (store.trouble || store.statusTrouble) return "The first map could not be computed.";
    if (store.headers.length > 0) return "The map did not arrive whole.";
    return store.canAsk ? "The first map is being computed …" : "This page holds no map.";
  }
  function detailsOf(drawn) {
    const { header, field: field2 } = drawn;
    if (field2.finite === 0) return "No pixel has a number: the gradient is not finite anywhere.";
    if (field2.zero) return ZERO;
    const parts = [];
    if (field2.missing > 0) {
      const one = field2.missing === 1;
      parts.push(
        `${count(field2.missing)} ${one ? "pixel has" : "pixels have"} no finite value and ${one ? "stays" : "stay"} empty`
      );
    }
    if (header.score !== null) parts.push(`${header.target.kind} ${number3(header.score)}`);
    if (header.probability !== null && header.target.kind !== "probability") {
      parts.push(`probability ${percent(100 * header.probability)}`);
    }
    if (header.seconds !== null) parts.push(`computed in ${seconds(header.seconds)}`);
    return parts.join(" · ");
  }

  // js/src/view/scene.ts
  function sceneOf(store, last) {
    const { info, labels: labels2, sign, clip, threshold, opacity, image } = store;
    const drawn = drawnOf(store, last, sign, clip, threshold);
    const notice = noticeOf(store, drawn);
    return { store, info, labels: labels2, sign, clip, threshold, opacity, image, drawn, notice };
  }
  function drawnOf(store, last, sign, clip, threshold) {
    const loaded = wholeMap(store, last);
    if (!loaded) return null;
    const field2 = store.maps.field(loaded, sign);
    const level = field2.level(clip);
    return { header: loaded.header, loaded, field: field2, level, kept: field2.keep(threshold), table: tableFor(sign) };
  }
  function wholeMap(store, last) {
    const { partial } = store;
    if (partial) return store.maps.load(partial.header, partial.bytes);
    const shown = store.header(store.shown);
    const loaded = shown && store.load(shown);
    if (loaded) return loaded;
    if (last) return last.loaded;
    for (const header of store.headers) {
      const first = store.load(header);
      if (first) return first;
    }
    return null;
  }

  // js/src/map/paint.ts
  var colours = new Uint32Array(65536);
  function paint(field2, level, cut2, table2, out) {
    const { values, order, sign } = field2;
    const { index, starts, count: count2 } = field2.bins;
    const { packed } = table2;
    const colourOf = (value) => Math.abs(value) >= cut2 ? packed[entry(value, level, sign)] : 0;
    const mixed = [];
    for (let b = 0; b < count2; b++) {
      const from = starts[b];
      const to = starts[b + 1] - 1;
      const first = values[order[from]];
      const colour = colourOf(first);
      colours[b] = colour;
      if (to > from) {
        const last = values[order[to]];
        if (last !== first && colourOf(last) !== colour) mixed.push(b);
      }
    }
    colours[NO_NUMBER] = 0;
    for (let i = 0; i < index.length; i++) out[i] = colours[index[i]];
    for (const b of mixed) {
      for (let p = starts[b]; p < starts[b + 1]; p++) {
        const i = order[p];
        out[i] = colourOf(values[i]);
      }
    }
  }

  // js/src/view/stage.ts
  var LONGEST = 448;
  var Stage = class {
    element = make("div", { class: "stage", role: "img", "aria-label": "No map yet" });
    #photo = make("canvas", { "data-layer": "photo" });
    #map = make("canvas", { "data-layer": "map" });
    #cross = make("canvas", { "data-layer": "cross" });
    #image = void 0;
    #painted = null;
    #width = 1;
    #height = 1;
    #place = null;
    constructor(signal, hovered) {
      this.element.append(this.#photo, this.#map, this.#cross);
      const point = (event) => {
        const place = this.#placeAt(event.clientX, event.clientY);
        if (place) hovered(place);
      };
      this.element.addEventListener("pointermove", point, { signal });
      this.element.addEventListener("pointerdown", point, { signal });
    }
    /** What was drawn may be lost when a notebook takes a view off the page and puts it back. */
    forget() {
      this.#image = void 0;
      this.#painted = null;
    }
    update(scene, place) {
      const { info, drawn } = scene;
      this.#resize(info.width || drawn?.header.shape[2] || 1, info.height || drawn?.header.shape[1] || 1);
      this.#drawPhoto(scene.image);
      this.#drawMap(drawn);
      const covered = drawn && !drawn.field.zero && drawn.kept.count > 0 ? scene.opacity : 0;
      this.#photo.style.filter = `grayscale(${Math.min(1, 5 * covered)})`;
      this.#map.style.opacity = String(scene.opacity);
      setAttribute(this.element, "data-old", scene.notice.old);
      this.drawCross(place);
    }
    describe(words) {
      setAttribute(this.element, "aria-label", words);
    }
    drawCross(place = this.#place) {
      this.#place = place;
      const canvas = this.#cross;
      const { clientWidth, clientHeight } = this.element;
      const ratio = window.devicePixelRatio || 1;
      const width = Math.round(clientWidth * ratio);
      const height = Math.round(clientHeight * ratio);
      if (width === 0 || height === 0) return;
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
      const pen = canvas.getContext("2d");
      if (!pen) return;
      pen.clearRect(0, 0, width, height);
      if (!place) return;
      const x = (place.column + 0.5) * width / this.#width;
      const y = (place.row + 0.5) * height / this.#height;
      const gap = Math.max(5 * ratio, width / this.#width);
      const reach = gap + 9 * ratio;
      for (const [colour, thick] of [
        ["rgba(0, 0, 0, 0.65)", 3 * ratio],
        ["rgb(255, 255, 255)", 1.25 * ratio]
      ]) {
        pen.strokeStyle = colour;
        pen.lineWidth = thick;
        pen.beginPath();
        for (const [dx, dy] of [
          [1, 0],
          [-1, 0],
          [0, 1],
          [0, -1]
        ]) {
          pen.moveTo(x + dx * gap, y + dy * gap);
          pen.lineTo(x + dx * reach, y + dy * reach);
        }
        pen.stroke();
      }
    }
    /** Sharp pixels where they are enlarged; averaged where several share a point of the screen. */
    fit() {
      const shown = this.element.clientWidth * (window.devicePixelRatio || 1);
      for (const canvas of [this.#photo, this.#map]) {
        canvas.style.imageRendering = shown >= canvas.width ? "pixelated" : "auto";
      }
      this.drawCross();
    }
    #placeAt(x, y) {
      const box = this.element.getBoundingClientRect();
      if (!(box.width > 0 && box.height > 0)) return null;
      const column = Math.floor((x - box.left) * this.#width / box.width);
      const row = Math.floor((y - box.top) * this.#height / box.height);
      return {
        column: Math.max(0, Math.min(this.#width - 1, column)),
        row: Math.max(0, Math.min(this.#height - 1, row))
      };
    }
    #resize(width, height) {
      if (width === this.#width && height === this.#height) return;
      this.#width = width;
      this.#height = height;
      this.element.style.aspectRatio = `${width} / ${height}`;
      this.element.style.width = `min(100%, ${Math.round(LONGEST * Math.min(1, width / height))}px)`;
      this.#image = void 0;
    }
    #drawPhoto(raw) {
      if (raw === this.#image) return;
      this.#image = raw;
      const bytes = toBytes(raw);
      const pixels = this.#width * this.#height;
      if (!bytes || bytes.length !== 3 * pixels) {
        this.#photo.width = this.#width;
        return;
      }
      const data = new ImageData(this.#width, this.#height);
      for (let i = 0, j = 0; i < 4 * pixels; i += 4, j += 3) {
        data.data[i] = bytes[j];
        data.data[i + 1] = bytes[j + 1];
        data.data[i + 2] = bytes[j + 2];
        data.data[i + 3] = 255;
      }
      put(this.#photo, data);
      this.fit();
    }
    #drawMap(drawn) {
      if (!drawn) return;
      const { field: field2, level, kept, table: table2 } = drawn;
      const before = this.#painted;
      if (before?.drawn.field === field2 && before.drawn.level === level && before.drawn.kept.cut === kept.cut && before.drawn.table === table2) {
        return;
      }
      const { width, height } = field2;
      const fits = before?.data.width === width && before.data.height === height;
      const data = fits ? before.data : new ImageData(width, height);
      const cut2 = field2.zero ? Number.POSITIVE_INFINITY : kept.cut;
      paint(field2, level, cut2, table2, new Uint32Array(data.data.buffer));
      put(this.#map, data);
      this.#painted = { drawn, data };
      if (!fits) this.fit();
    }
  };
  function put(canvas, data) {
    if (canvas.width !== data.width) canvas.width = data.width;
    if (canvas.height !== data.height) canvas.height = data.height;
    canvas.getContext("2d")?.putImageData(data, 0, 0);
  }

  // js/src/view/theme.ts
  function hostIsDark() {
    const { body, documentElement } = document;
    const jupyter = body.dataset.jpThemeLight;
    if (jupyter !== void 0) return jupyter === "false";
    for (const element of [body, documentElement]) {
      const kind2 = element.dataset.vscodeThemeKind ?? element.dataset.theme ?? "";
      if (/dark|black/.test(kind2) || element.classList.contains("dark")) return true;
      if (/light/.test(kind2) || element.classList.contains("light")) return false;
    }
    return null;
  }
  function followTheme(root2, signal) {
    const system = window.matchMedia?.("(prefers-color-scheme: dark)");
    const apply = () => {
      const dark = hostIsDark() ?? system?.matches ?? false;
      root2.dataset.theme = dark ? "dark" : "light";
    };
    apply();
    system?.addEventListener?.("change", apply, { signal });
    const watcher = new MutationObserver(apply);
    const attributeFilter = ["class", "data-jp-theme-light", "data-vscode-theme-kind", "data-theme"];
    for (const element of [document.body, document.documentElement]) {
      watcher.observe(element, { attributes: true, attributeFilter });
    }
    signal.addEventListener("abort", () => watcher.disconnect());
  }

  // js/src/view/theme.css
  var theme_default = '.widget{--fg: var(--jp-ui-font-color1, var(--vscode-editor-foreground, #212121));--fg-quiet: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, #5f6368));--bg: var(--jp-layout-color0, var(--vscode-editor-background, #fff));--bg-soft: var(--jp-layout-color2, var(--vscode-input-background, #f1f1f1));--line: var(--jp-border-color1, #c4c4c4);--line-soft: var(--jp-border-color2, #e0e0e0);--accent: var(--jp-brand-color1, var(--vscode-focusBorder, #1976d2));--trouble: var(--jp-error-color0, #b3261e);--large: calc(var(--body) * 15 / 13);--body: var(--jp-ui-font-size1, 13px);--small: calc(var(--body) * 11.5 / 13);container-type:inline-size;box-sizing:border-box;max-width:864px;padding:8px;color:var(--fg);background:var(--bg);font:400 var(--body) / 20px var(--jp-ui-font-family, system-ui, -apple-system, "Segoe UI", sans-serif);font-variant-numeric:tabular-nums;color-scheme:light;text-align:start}.widget[data-theme=dark]{--fg: var(--jp-ui-font-color1, var(--vscode-editor-foreground, #e6e6e6));--fg-quiet: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, #a8adb3));--bg: var(--jp-layout-color0, var(--vscode-editor-background, #111));--bg-soft: var(--jp-layout-color2, var(--vscode-input-background, #2a2a2a));--line: var(--jp-border-color1, #5a5a5a);--line-soft: var(--jp-border-color2, #3a3a3a);--accent: var(--jp-brand-color1, var(--vscode-focusBorder, #64b5f6));--trouble: var(--jp-error-color1, #f28b82);color-scheme:dark}*{box-sizing:border-box}.widget [hidden]:not(#nothing){display:none}p,h3,ul,fieldset,legend,pre{margin:0;padding:0;border:0;list-style:none;font:inherit}.quiet{color:var(--fg-quiet);font-size:var(--small);line-height:16px}input,button{font:inherit;font-variant-numeric:inherit;color:inherit;accent-color:var(--accent)}:focus-visible{outline:2px solid var(--accent);outline-offset:1px}header{display:flex;flex-wrap:wrap;align-items:baseline;justify-content:space-between;column-gap:16px;padding-bottom:8px;margin-bottom:12px;border-bottom:1px solid var(--line-soft)}.says{font-size:var(--large);line-height:24px;overflow-wrap:anywhere}.says strong{font-weight:600}.columns{display:grid;grid-template-columns:minmax(0,1fr);gap:24px}.picture{display:grid;grid-template-columns:minmax(0,1fr);gap:8px;align-content:start;min-width:0}.notices{position:relative;display:flex;align-items:flex-start;gap:8px}.words{flex:1;min-width:0}.title{overflow:hidden;white-space:nowrap;text-overflow:ellipsis;font-weight:600}.words .line{display:-webkit-box;height:32px;overflow:hidden;-webkit-box-orient:vertical;-webkit-line-clamp:2;overflow-wrap:anywhere}.alert{font-size:var(--small);line-height:16px;padding-left:8px;border-left:3px solid var(--trouble)}.stop{display:block;padding:3px 12px;border:1px solid var(--line);border-radius:4px;background:var(--bg);cursor:pointer}.stop:hover{background:var(--bg-soft)}.sheet{position:absolute;z-index:1;left:0;right:0;top:calc(100% + 4px);max-height:320px;overflow:auto;padding:8px 12px;border:1px solid var(--line);border-radius:4px;background:var(--bg);box-shadow:0 2px 8px #0003;overflow-wrap:anywhere}.sheet pre{overflow:auto;margin-top:8px;font:var(--small) / 16px var(--jp-code-font-family, ui-monospace, monospace);white-space:pre}.stage{position:relative;width:min(100%,448px);aspect-ratio:1;background:var(--bg-soft);cursor:crosshair;touch-action:pan-y pinch-zoom;forced-color-adjust:none}.stage canvas{position:absolute;inset:0;display:block;width:100%;height:100%;pointer-events:none}.stage:after{content:"";position:absolute;inset:0;background:var(--bg);opacity:0;pointer-events:none}.stage[data-old]:after{opacity:.3;transition:opacity 0s linear .2s}.colourbar{max-width:448px}.bar{display:block;width:100%;height:12px;border:1px solid var(--line);image-rendering:pixelated;forced-color-adjust:none}.ticks{display:grid;grid-template-columns:1fr auto 1fr;gap:8px;font-size:var(--small);line-height:20px;min-height:20px}.ticks .to{text-align:end}.scale{min-height:32px}.caveat{max-width:448px}.readout{max-width:448px;padding-top:8px;border-top:1px solid var(--line-soft)}.readout p{overflow:hidden;white-space:nowrap;text-overflow:ellipsis;height:20px}.place{display:flex;flex-wrap:wrap;align-items:center;gap:4px 8px;min-height:28px;margin-bottom:4px}.place label{display:flex;align-items:center;gap:4px}input[type=number],input[type=text]{height:28px;padding:0 8px;border:1px solid var(--line);border-radius:4px;background:var(--bg)}input[type=number]{width:60px;padding:0 2px 0 6px}.pixel{display:flex;align-items:center;gap:8px;height:20px;margin-left:auto}.swatch{width:16px;height:16px;border:1px solid var(--line);border-radius:2px;forced-color-adjust:none}.pixel output{min-width:72px}.readout .value{height:24px;line-height:24px}[data-field=value]{font-size:var(--large);font-weight:600;margin-right:8px}.channels{display:grid;grid-template-columns:repeat(auto-fit,minmax(88px,1fr));gap:0 8px;height:20px;overflow:hidden}.channels>span{display:flex;align-items:baseline;gap:6px;white-space:nowrap}.choices{display:grid;grid-template-columns:minmax(0,1fr);gap:20px;align-content:start;min-width:0}.controls{display:grid;grid-template-columns:minmax(0,1fr);gap:12px}.head{display:flex;flex-wrap:wrap;justify-content:space-between;column-gap:8px}.sign{display:flex;align-items:center;justify-content:space-between;min-width:0}.sign legend{float:left}.options{display:flex;border:1px solid var(--line);border-radius:4px;margin-left:auto}.options label{position:relative;display:block;cursor:pointer}.options input{position:absolute;inset:0;margin:0;opacity:0;cursor:pointer}.options span{display:block;padding:3px 16px;border-radius:3px}.options input:checked+span{background:var(--bg-soft);box-shadow:inset 0 -2px var(--accent)}.options input:focus-visible+span{outline:2px solid var(--accent);outline-offset:1px}.slider{display:grid}.slider input{width:100%;height:20px;margin:0}.slider .quiet{min-height:16px}.combobox{display:grid;grid-template-columns:auto minmax(0,1fr);align-items:center;gap:12px}.box{position:relative}.box input{width:100%}.popup{position:absolute;z-index:1;left:0;right:0;top:calc(100% + 4px);overflow:auto;background:var(--bg);border:1px solid var(--line);border-radius:4px;box-shadow:0 2px 8px #0003}.popup[data-up]{top:auto;bottom:calc(100% + 4px)}.popup li{display:flex;align-items:baseline;justify-content:space-between;gap:12px;padding:4px 8px;cursor:pointer}.popup li[aria-selected=true],.popup li:hover{background:var(--bg-soft)}.popup li[aria-selected=true]{box-shadow:inset 2px 0 var(--accent)}.popup li:is([aria-selected=true],:hover) .quiet{color:var(--fg)}.popup li[aria-disabled=true]{color:var(--fg-quiet);cursor:default}.popup .name,.classes .name{overflow:hidden;white-space:nowrap;text-overflow:ellipsis}.more{padding:4px 8px}.classes{margin-top:8px}.classes button{display:grid;grid-template-columns:minmax(0,1fr) 48px 56px;align-items:center;gap:8px;width:100%;height:28px;padding:0 8px;border:0;border-radius:4px;background:none;text-align:start;cursor:pointer}.classes button:hover:enabled{background:var(--bg-soft)}.classes button[aria-pressed=true]{background:var(--bg-soft);box-shadow:inset 2px 0 var(--accent);font-weight:600}.classes button[aria-busy=true]{box-shadow:inset 2px 0 var(--line)}.classes button:disabled{color:var(--fg-quiet);cursor:default}.classes .number{text-align:end;font-weight:400}.meter{height:4px;border-radius:2px;background:linear-gradient(var(--fg-quiet) 0 0) no-repeat 0 0 / calc(var(--share) * 100%) 100%,var(--line-soft);forced-color-adjust:none}.spoken{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}@container (min-width: 640px){.columns{grid-template-columns:minmax(0,448px) minmax(272px,1fr);gap:24px}}@media(forced-colors:active){.options input:checked+span,.popup li[aria-selected=true],.classes button[aria-pressed=true]{outline:2px solid Highlight;outline-offset:-2px}}\n';

  // js/src/view/view.ts
  var CAVEAT = "A map shows what the score is sensitive to, not what caused it.";
  function mount(el, store, signal) {
    const host = make("div", { class: "saliency-widget", style: "display: block" });
    const root2 = host.attachShadow({ mode: "open" });
    const view = new View(store, signal);
    root2.append(make("style", {}, theme_default), view.element);
    guardKeys(host, root2, signal);
    followTheme(view.element, signal);
    el.append(host);
    view.start();
    signal.addEventListener("abort", () => host.remove());
  }
  var View = class {
    constructor(store, signal) {
      this.store = store;
      this.signal = signal;
      this.#announcer = new Announcer(signal);
      this.#redraw = oncePerFrame(signal, () => this.#frame());
      this.#read = oncePerFrame(signal, () => this.#readFrame());
      this.#notices = new Notices(store, signal);
      this.#stage = new Stage(signal, (place) => this.#moved(place));
      this.#readout = new Readout(signal, (place) => {
        this.#moved(place);
        this.#announcer.say(() => this.#readout.words());
      });
      this.#controls = new Controls(store, signal);
      this.#classes = new Classes(store, signal);
      const picture2 = make("div", { class: "picture" });
      picture2.append(this.#notices.element, this.#stage.element, this.#bar.element);
      picture2.append(make("p", { class: "quiet caveat" }, CAVEAT), this.#readout.element);
      const choices = make("div", { class: "choices" }, this.#controls.element, this.#classes.element);
      const columns = make("div", { class: "columns" }, picture2, choices);
      this.element.append(this.#header.element, columns, this.#announcer.element);
    }
    store;
    signal;
    element = make("div", { class: "widget" });
    #announcer;
    #header = new Header();
    #notices;
    #stage;
    #bar = new Bar();
    #readout;
    #controls;
    #classes;
    #redraw;
    #read;
    #scene = null;
    #drawn = null;
    /** Chosen with the pointer or in numbers; until then the strongest pixel is looked at. */
    #place = null;
    #said = "";
    start() {
      const { signal } = this;
      const unsubscribe = this.store.subscribe(this.#redraw);
      const sizes = new ResizeObserver(() => this.#stage.fit());
      sizes.observe(this.#stage.element);
      const sights = new IntersectionObserver((entries) => {
        const visible = entries.at(-1)?.isIntersecting ?? false;
        this.store.setVisible(this, visible);
        if (visible) this.#again();
      });
      sights.observe(this.#stage.element);
      window.addEventListener("pageshow", () => this.#again(), { signal });
      signal.addEventListener("abort", () => {
        unsubscribe();
        sizes.disconnect();
        sights.disconnect();
        this.store.setVisible(this, false);
      });
      this.#frame();
    }
    /** Draws everything anew: canvases may have been emptied while they were out of sight. */
    #again() {
      this.#stage.forget();
      this.#bar.forget();
      this.#redraw();
    }
    #frame() {
      const scene = sceneOf(this.store, this.#drawn);
      this.#scene = scene;
      this.#drawn = scene.drawn;
      const place = this.#whereIn(scene);
      this.#header.update(scene);
      this.#notices.update(scene);
      this.#stage.update(scene, place);
      this.#bar.update(scene);
      this.#readout.update(scene, place);
      this.#controls.update(scene);
      this.#classes.update(scene);
      this.#stage.describe(describe(scene));
      this.#speak(scene);
    }
    #readFrame() {
      const scene = this.#scene;
      if (!scene) return;
      const place = this.#whereIn(scene);
      this.#stage.drawCross(place);
      this.#readout.update(scene, place);
    }
    #moved(place) {
      this.#place = place;
      this.#read();
    }
    #whereIn({ info, drawn }) {
      const width = info.width || drawn?.field.width || 1;
      const height = info.height || drawn?.field.height || 1;
      const place = this.#place ?? (drawn && strongest(drawn, width, height)) ?? {
        row: height >> 1,
        column: width >> 1
      };
      this.#place ??= drawn && !drawn.field.zero ? place : null;
      return {
        row: Math.max(0, Math.min(height - 1, place.row)),
        column: Math.max(0, Math.min(width - 1, place.column))
      };
    }
    #speak({ notice }) {
      const words = notice.stop || notice.old ? notice.line : notice.title;
      if (words === this.#said) return;
      const first = this.#said === "";
      this.#said = words;
      if (!first) this.#announcer.say(() => words);
    }
  };
  function strongest(drawn, width, height) {
    const { field: field2 } = drawn;
    const at = field2.strongest;
    if (at === null) return null;
    return {
      row: Math.floor((Math.floor(at / field2.width) + 0.5) * height / field2.height),
      column: Math.floor((at % field2.width + 0.5) * (width / field2.width))
    };
  }
  function describe({ notice, drawn, info }) {
    if (!drawn) return notice.title;
    if (drawn.field.zero) return `${notice.title}, over the photograph. ${notice.line}`;
    const place = strongest(drawn, info.width || drawn.field.width, info.height || drawn.field.height);
    const where = place ? ` Strongest at row ${place.row}, column ${place.column}.` : "";
    return `${notice.title}, over the photograph.${where} It ${keptWords(drawn.kept.area, drawn.kept.mass)}.`;
  }

  // js/src/index.ts
  function initialize({ model: model2, signal }) {
    return once(join(model2).leave, signal);
  }
  function render({ model: model2, el, signal }) {
    const { store, leave } = join(model2);
    const controller = new AbortController();
    mount(el, store, controller.signal);
    return once(() => {
      controller.abort();
      leave();
    }, signal);
  }
  function once(action, signal) {
    let done = false;
    const act = () => {
      if (done) return;
      done = true;
      signal?.removeEventListener("abort", act);
      action();
    };
    if (signal?.aborted) act();
    else signal?.addEventListener("abort", act);
    return act;
  }
  var src_default = { initialize, render };

  // js/dev/fake.ts
  var FakeModel = class {
    constructor(state) {
      this.state = state;
    }
    state;
    sent = [];
    saves = 0;
    kernel = null;
    #listeners = /* @__PURE__ */ new Map();
    get(name) {
      return this.state[name];
    }
    set(name, value) {
      if (this.state[name] === value) return;
      this.state[name] = value;
      this.emit(`change:${name}`, this, value);
    }
    save_changes() {
      this.saves++;
    }
    on(event, listener) {
      const all = this.#listeners.get(event) ?? /* @__PURE__ */ new Set();
      this.#listeners.set(event, all.add(listener));
    }
    off(event, listener) {
      this.#listeners.get(event)?.delete(listener);
    }
    send(content) {
      this.sent.push(content);
      this.kernel?.(content, this);
    }
    /** What Python would do. */
    emit(event, ...args) {
      for (const listener of [...this.#listeners.get(event) ?? []]) listener(...args);
    }
    reply(content, buffers = []) {
      this.emit("msg:custom", content, buffers);
    }
    listening() {
      return [...this.#listeners.values()].reduce((sum, all) => sum + all.size, 0);
    }
  };
  function toHalf(value) {
    const sign = value < 0 || Object.is(value, -0) ? 32768 : 0;
    const magnitude = Math.abs(value);
    if (Number.isNaN(value)) return 32256;
    if (magnitude >= 65520) return sign | 31744;
    if (magnitude < 2 ** -14) return sign | Math.round(magnitude * 2 ** 24);
    const exponent = Math.floor(Math.log2(magnitude));
    return sign | (exponent + 15 << 10) + Math.round((magnitude / 2 ** exponent - 1) * 1024);
  }
  function pack(values) {
    let largest = 0;
    for (let i = 0; i < values.length; i++) {
      if (Number.isFinite(values[i])) largest = Math.max(largest, Math.abs(values[i]));
    }
    const scale = largest / 32768;
    const halves2 = new Uint16Array(values.length);
    for (let i = 0; i < halves2.length; i++) halves2[i] = toHalf(values[i] / (scale || 1));
    return { bytes: new Uint8Array(halves2.buffer), scale };
  }
  function random(seed) {
    let state = seed >>> 0;
    return () => {
      state = state + 1831565813 >>> 0;
      let t = Math.imul(state ^ state >>> 15, 1 | state);
      t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
      return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
    };
  }
  function headerFor(index, label, shape, scale, slot) {
    return {
      ...slot === void 0 ? {} : { slot },
      key: `gradient/logit/${index}`,
      method: { name: "gradient", label: "Gradient" },
      target: { kind: "logit", index, label, text: `logit of ${label}` },
      shape: [...shape],
      dtype: "float16",
      scale,
      error: scale,
      unit: "logit per full-scale pixel",
      score: 7.31 - index / 1e3,
      probability: 0.02,
      seconds: 0.12,
      reduced_from: null,
      nonfinite: 0
    };
  }
  function gradientMap(shape, seed) {
    const [channels, height, width] = shape;
    const draw = random(seed);
    const [x0, y0] = [(0.35 + 0.3 * draw()) * width, (0.3 + 0.3 * draw()) * height];
    const noise = new Float32Array(channels * height * width);
    for (let c = 0, i = 0; c < channels; c++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++, i++) {
          const hill = Math.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (0.08 * width * height)) + 0.06;
          const heavy = (draw() + draw() - draw() - draw()) / (0.25 + draw());
          noise[i] = 4e-3 * hill * heavy;
        }
      }
    }
    return noise.map((v, i) => 0.5 * v + 0.3 * (noise[i + 1] ?? 0) + 0.3 * (noise[i + width] ?? 0));
  }

  // js/dev/harness.ts
  var SIDE = 224;
  var SHAPE = [3, SIDE, SIDE];
  var NAMES = {
    281: "tabby, tabby cat",
    282: "tiger cat",
    285: "Egyptian cat",
    287: "lynx, catamount",
    292: "tiger, Panthera tigris"
  };
  function picture() {
    const rgb = new Uint8Array(3 * SIDE * SIDE);
    for (let y = 0, i = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++, i += 3) {
        const ring = 128 + 90 * Math.sin(Math.hypot(x - 110, y - 95) / 9);
        rgb[i] = ring;
        rgb[i + 1] = (ring + y) / 2;
        rgb[i + 2] = (x + y) / 2;
      }
    }
    return rgb;
  }
  var given = globalThis;
  var query = new URLSearchParams(location.search);
  var labels = Array.from({ length: 1e3 }, (_, i) => NAMES[i] ?? `thing number ${i}`);
  var probable = [282, 285, 281, 287, 292];
  var probability = [0.389, 0.361, 0.172, 0.0312, 8e-4];
  var model = new FakeModel({
    _info: {
      version: 1,
      model: "tf_efficientnet_lite0",
      picture: { height: SIDE, width: SIDE },
      channels: ["R", "G", "B"],
      classes: 1e3,
      prediction: probable.map((index, i) => ({
        index,
        label: labels[index],
        score: 7 - i,
        probability: probability[i]
      })),
      probability: "softmax",
      preprocess: "bicubic, crop 0.875, mean 0.5, std 0.5",
      score_kind: "logit",
      notes: []
    },
    _image: given.photo ? new Uint8Array(given.photo) : picture(),
    _labels: labels,
    _maps: [],
    _status: { state: "idle", want: null, message: "", traceback: "" },
    shown: "gradient/logit/282",
    sign: query.get("sign") ?? "absolute",
    threshold: Number(query.get("threshold") ?? 100),
    opacity: Number(query.get("opacity") ?? 0.6),
    clip: 99
  });
  given.theModel = model;
  function hold(index, values = gradientMap(SHAPE, index)) {
    const headers = model.get("_maps");
    const slot = headers.length;
    const { bytes, scale } = pack(values);
    model.set(`_slot_${slot}`, new DataView(bytes.buffer));
    model.set("_maps", [...headers, headerFor(index, labels[index], SHAPE, scale, slot)]);
    return `gradient/logit/${index}`;
  }
  var kind = query.get("state");
  if (kind !== "empty") {
    const values = gradientMap(SHAPE, 282);
    if (kind === "zero") values.fill(0);
    if (kind === "missing") values.fill(Number.NaN, 5e3, 5400);
    hold(282, values);
    if (kind !== "zero") hold(285);
  }
  var running;
  model.kernel = (message) => {
    const { req, want } = message;
    if (kind === "silent") return;
    if (message.kind === "cancel") {
      clearTimeout(running);
      model.reply({ kind: "cancelled", req, reason: "stopped" });
    }
    if (message.kind !== "request") return;
    setTimeout(() => model.reply({ kind: "accepted", req }), 20);
    const { index } = want.target;
    running = setTimeout(
      () => {
        const traceback = 'Traceback (most recent call last):\n  File "gradient.py", line 31\nOutOfMemoryError';
        if (kind === "error") {
          model.reply({ kind: "error", req, message: `No memory was left for ${labels[index]}.`, traceback });
        } else {
          const key = hold(index);
          model.reply({ kind: "done", req, key });
        }
      },
      Number(query.get("delay") ?? 800)
    );
  };
  for (const el of document.querySelectorAll(".view")) src_default.render({ model, el });
})();
