// Decompress gzip without waiting (RFC 1951 and 1952): a page that is about to be printed cannot wait.

const MOST_CODE_BITS = 15;
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/** Return the [first value, extra bits] of codes, each of which begins where the last one ends. */
function codeRanges(count, first, extraOf) {
  let start = first;
  return Array.from({ length: count }, (_, code) => {
    const extra = extraOf(code);
    start += 1 << extra;
    return [start - (1 << extra), extra];
  });
}
const LENGTH_RANGES = [...codeRanges(28, 3, (code) => (code < 8 ? 0 : (code >> 2) - 1)), [258, 0]];
const DISTANCE_RANGES = codeRanges(30, 1, (code) => (code < 4 ? 0 : (code >> 1) - 1));

/** Return a table from the next bits of the stream to symbol * 16 + code length. */
function codeTable(lengths) {
  const most = Math.max(...lengths);
  const table = new Uint16Array(1 << most);
  let code = 0;
  for (let length = 1; length <= most; length += 1) {
    for (let symbol = 0; symbol < lengths.length; symbol += 1) {
      if (lengths[symbol] !== length) continue;
      let reversed = 0;
      for (let bit = 0; bit < length; bit += 1) reversed |= ((code >> bit) & 1) << (length - 1 - bit);
      for (let at = reversed; at < table.length; at += 1 << length) table[at] = symbol * 16 + length;
      code += 1;
    }
    code <<= 1;
  }
  return table;
}

const FIXED_LENGTHS = Array.from({ length: 288 }, (_, n) => (n < 144 ? 8 : n < 256 ? 9 : n < 280 ? 7 : 8));

class BitReader {
  constructor(bytes, at) {
    this.bytes = bytes;
    this.at = at;
    this.held = 0;
    this.count = 0;
  }

  fill(count) {
    while (this.count < count) {
      this.held |= this.bytes[this.at++] << this.count;
      this.count += 8;
    }
  }

  take(count) {
    this.fill(count);
    const value = this.held & ((1 << count) - 1);
    this.drop(count);
    return value;
  }

  drop(count) {
    this.held >>>= count;
    this.count -= count;
  }

  symbol(table) {
    this.fill(MOST_CODE_BITS);
    const found = table[this.held & (table.length - 1)];
    this.drop(found & 15);
    return found >> 4;
  }

  /** Return a number from a code and the extra bits after it. */
  ranged([start, extra]) {
    return start + this.take(extra);
  }

  /** Skip to the next byte and return `count` bytes. */
  raw(count) {
    this.at -= this.count >> 3;
    this.held = this.count = 0;
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }
}

/** Return the tables of lengths and distances at the start of a block. */
function blockTables(reader, isFixed) {
  if (isFixed) return [codeTable(FIXED_LENGTHS), codeTable(Array(30).fill(5))];
  const [literals, distances, codes] = [reader.take(5) + 257, reader.take(5) + 1, reader.take(4) + 4];
  const order = Array(19).fill(0);
  for (let n = 0; n < codes; n += 1) order[CODE_LENGTH_ORDER[n]] = reader.take(3);
  const table = codeTable(order);
  const lengths = [];
  while (lengths.length < literals + distances) {
    const symbol = reader.symbol(table);
    if (symbol < 16) lengths.push(symbol);
    else if (symbol === 16) lengths.push(...Array(3 + reader.take(2)).fill(lengths.at(-1)));
    else lengths.push(...Array(symbol === 17 ? 3 + reader.take(3) : 11 + reader.take(7)).fill(0));
  }
  return [codeTable(lengths.slice(0, literals)), codeTable(lengths.slice(literals))];
}

/** Return the content of gzip data as Python's `gzip.compress` writes it: one member, a header of ten bytes. */
function inflate(bytes) {
  const out = new Uint8Array(new DataView(bytes.buffer).getUint32(bytes.length - 4, true));
  const reader = new BitReader(bytes, 10);
  let [to, isLast] = [0, false];
  while (!isLast) {
    isLast = reader.take(1) === 1;
    const kind = reader.take(2);
    if (kind === 0) {
      const size = new DataView(reader.raw(4).slice().buffer).getUint16(0, true);
      out.set(reader.raw(size), to);
      to += size;
      continue;
    }
    const [literals, distances] = blockTables(reader, kind === 1);
    for (let symbol = reader.symbol(literals); symbol !== 256; symbol = reader.symbol(literals)) {
      if (symbol < 256) {
        out[to++] = symbol;
        continue;
      }
      const length = reader.ranged(LENGTH_RANGES[symbol - 257]);
      let from = to - reader.ranged(DISTANCE_RANGES[reader.symbol(distances)]);
      for (const end = to + length; to < end; ) out[to++] = out[from++];
    }
  }
  return out;
}

/** Return the text in a packed element, without waiting. */
const unpackNow = (element) => new TextDecoder().decode(inflate(packedBytes(element)));
