// SPDX-License-Identifier: Apache-2.0
// The Node.js side of the worker protocol (docs/adr/0002-worker-protocol.md): one process, one connection, one function
// version. It boots, says HELLO and waits, prepared, for the LOAD that binds it. With concurrency 1 calls run strictly
// one after the other, asynchronous ones too; otherwise all that were sent run at once.
'use strict';

const fs = require('fs');
const net = require('net');
const path = require('path');
const util = require('util');
const { Console } = require('console');
const { createRequire } = require('module');
const { pathToFileURL } = require('url');
const { AsyncLocalStorage } = require('async_hooks');

const CONNECTION = 3;
const PAGE = 4;
const LOAD = 1, CALL = 2, CHUNK = 3, CANCEL = 4, PING = 5, DRAIN = 6, CREDIT = 7;
const HELLO = 16, READY = 17, FAILED = 18, RESULT = 19, ERROR = 20, LOG = 21, PONG = 22, DONE = 23;
const TIME_BITS = 10; // of a RESULT's aux: below the status, above the size in bits of the run's microseconds
const END = 1, TEXT = 2, OBJECT = 4;
const STDOUT = 1, STDERR = 2;
const HEADER = 16;
const WINDOW = 256 * 1024; // a streamed answer may be so far ahead of its client
const QUICK_RUN = 0.2; // milliseconds; after QUICK_RUNS of them in a row answers may wait for their batch
const QUICK_RUNS = 16;
const LONGEST_LINE = 64 * 1024;

const hasOwn = Function.prototype.call.bind(Object.prototype.hasOwnProperty);

// --- writing -----------------------------------------------------------------------------------------------------

// Frames are put together in one buffer and written with one system call, past the stream machinery. Only when the
// socket takes no more does the rest go through the stream, which then must be used until it has caught up.
let socket;
let out = Buffer.allocUnsafeSlow(128 * 1024);
let used = 0;
let backlog = 0;
let flushSoon = null;

function flush() {
  if (flushSoon !== null) {
    clearImmediate(flushSoon);
    flushSoon = null;
  }
  const size = used;
  used = 0;
  let at = 0;
  while (backlog === 0 && at < size) {
    try {
      at += fs.writeSync(CONNECTION, out, at, size - at);
    } catch (error) {
      if (error.code === 'EINTR') continue;
      if (error.code !== 'EAGAIN') process.reallyExit(0); // the server has gone, and with it everybody who wants to know
      break;
    }
  }
  if (at < size) {
    ++backlog;
    socket.write(Buffer.from(out.subarray(at, size)), () => {
      if (--backlog === 0 && used > 0) flush();
      exitWhenDrained();
    });
  }
}

/** What is in the buffer leaves when the work that can be done without waiting is done. */
function hold() {
  if (flushSoon === null && used > 0) {
    flushSoon = setImmediate(() => {
      flushSoon = null;
      flush();
    });
  }
}

function reserve(size) {
  if (out.length - used >= size) return;
  flush();
  if (out.length < size) out = Buffer.allocUnsafeSlow(size);
}

function putHeader(at, meta, body, id, type, flags, aux) {
  out.writeUInt32LE(meta + body, at);
  out.writeUInt32LE(meta, at + 4);
  out.writeUInt32LE(id, at + 8);
  out[at + 12] = type;
  out[at + 13] = flags;
  out[at + 14] = aux & 255;
  out[at + 15] = aux >> 8;
}

function put(part, at) {
  if (typeof part === 'string') return part.length === 0 ? 0 : out.write(part, at);
  out.set(part, at);
  return part.byteLength;
}

/** meta and body: strings or bytes. */
function frame(type, id, meta, body, flags, aux) {
  reserve(HEADER + (typeof meta === 'string' ? meta.length * 3 : meta.byteLength) +
          (typeof body === 'string' ? body.length * 3 : body.byteLength));
  const at = used;
  const metaSize = put(meta, at + HEADER);
  const bodySize = put(body, at + HEADER + metaSize);
  putHeader(at, metaSize, bodySize, id, type, flags, aux);
  used = at + HEADER + metaSize + bodySize;
}

// --- logs --------------------------------------------------------------------------------------------------------

let current = 0; // the call that runs, when there is only one at a time
let callOf = null; // AsyncLocalStorage of the call, when there are several

function currentCall() {
  if (callOf === null) return current;
  const call = callOf.getStore();
  return call === undefined ? 0 : call.id;
}

function logged() {
  if (quick < QUICK_RUNS || exiting) flush();
  else hold();
}

/** Whole lines of process.stdout or process.stderr become LOG frames. */
class LineWriter {
  constructor(flag, level) {
    this.flag = flag;
    this.level = level;
    this.partial = new Map(); // call: text without its end of line; '' = the line was too long and is out already
  }
  write(text) {
    const id = currentCall();
    const before = this.partial.get(id);
    const lines = ((before || '') + text).split('\n');
    const rest = lines.pop();
    if (before === '' && lines[0] === '') lines.shift();
    for (const line of lines) frame(LOG, id, '', line.endsWith('\r') ? line.slice(0, -1) : line, this.flag, this.level);
    if (rest.length > LONGEST_LINE) {
      frame(LOG, id, '', rest, this.flag, this.level);
      this.partial.set(id, '');
    } else if (rest === '') {
      this.partial.delete(id);
    } else {
      this.partial.set(id, rest);
    }
    logged();
  }
  finish(id) {
    const rest = this.partial.get(id);
    this.partial.delete(id);
    if (!rest) return;
    frame(LOG, id, '', rest, this.flag, this.level);
  }
}

const stdoutLines = new LineWriter(STDOUT, 1);
const stderrLines = new LineWriter(STDERR, 2);

function endLines(id) {
  if (stdoutLines.partial.size > 0) stdoutLines.finish(id);
  if (stderrLines.partial.size > 0) stderrLines.finish(id);
}

function installLogs() {
  for (const [name, lines] of [['stdout', stdoutLines], ['stderr', stderrLines]]) {
    const write = function (chunk, encoding, done) {
      lines.write(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
      const callback = typeof encoding === 'function' ? encoding : done;
      if (typeof callback === 'function') process.nextTick(callback);
      return true;
    };
    // The stream itself is only made when somebody asks for more of it than write().
    const real = Object.getOwnPropertyDescriptor(process, name);
    let stream = null;
    Object.defineProperty(process, name, {
      configurable: true,
      enumerable: true,
      get() {
        if (stream === null) {
          stream = real.get.call(process);
          stream.write = write;
        }
        return stream;
      },
    });
  }
  let level = 1;
  const sink = { write(text) { frame(LOG, currentCall(), '', text.endsWith('\n') ? text.slice(0, -1) : text, 0, level); logged(); },
                 on() {}, once() {}, removeListener() {}, listenerCount() { return 0; } };
  const native = new Console({ stdout: sink, stderr: sink, ignoreErrors: true });
  const levels = { debug: 0, warn: 2, assert: 2, error: 3, trace: 3 };
  for (const name of Object.keys(native)) {
    if (typeof native[name] !== 'function') continue;
    const own = levels[name] === undefined ? 1 : levels[name];
    const method = native[name];
    console[name] = (...args) => {
      level = own;
      method.apply(native, args);
    };
  }
}

// --- what the handler is given -----------------------------------------------------------------------------------

const neverLifted = new Set(['specversion', '__proto__', 'constructor', 'prototype']);

function wrap(values) {
  const lists = {};
  for (const name in values) {
    if (name === '__proto__') Object.defineProperty(lists, name, { value: [values[name]], enumerable: true, writable: true, configurable: true });
    else lists[name] = [values[name]];
  }
  return lists;
}

// Elements of the event array behind those that only makeEvent() reads
const REQUEST_ID = 11, TIMEOUT = 12, ATTEMPT = 13, TRACEPARENT = 14, TRIGGER = 15, TRIGGER_TYPE = 16;

/** The event, from the values that the server has made and the body. */
function makeEvent(array, flags, text) {
  const event = {
    httpMethod: array[0],
    path: array[1],
    headers: array[2],
    multiValueHeaders: array[3] || wrap(array[2]),
    queryStringParameters: array[4] || {},
    multiValueQueryStringParameters: array[5] || wrap(array[4]),
    pathParameters: array[6] || {},
    requestContext: {
      requestId: array[REQUEST_ID],
      path: array[7],
      httpMethod: array[0],
      sourceIp: array[8],
      protocol: array[9],
      authorizer: array[10] || {},
    },
    body: text,
    isBase64Encoded: (flags & TEXT) === 0,
    data: text,
  };
  if ((flags & OBJECT) !== 0) lift(event, text);
  return event;
}

function lift(event, text) {
  let members;
  try {
    members = JSON.parse(text);
  } catch {
    return;
  }
  for (const name of Object.keys(members)) {
    if (name === 'data') event.data = members.data;
    else if (!neverLifted.has(name) && !hasOwn(event, name)) event[name] = members[name];
  }
}

let about; // LOAD

class Context {
  #call;
  #started;
  constructor(call, started) {
    this.#call = call; // event array
    this.#started = started;
  }
  get requestId() { return this.#call[REQUEST_ID]; }
  get functionName() { return about.function; }
  get functionVersion() { return String(about.version); }
  get workspace() { return about.workspace; }
  get memoryLimitInMb() { return about.memory_mb; }
  get attempt() { return this.#call[ATTEMPT]; }
  get traceparent() { return this.#call[TRACEPARENT]; }
  get trigger() { return this.#call[TRIGGER]; }
  get triggerType() { return this.#call[TRIGGER_TYPE]; }
  getRemainingTimeInMillis() {
    return Math.max(0, Math.floor(this.#call[TIMEOUT] - (performance.now() - this.#started)));
  }
  get remainingTimeMs() { return this.getRemainingTimeInMillis(); }
}

const contextAliases = {
  requestId: ['request_id', 'awsRequestId', 'aws_request_id'],
  functionName: ['function_name'],
  functionVersion: ['function_version'],
  memoryLimitInMb: ['memory_limit_in_mb', 'memoryLimitInMB'],
  remainingTimeMs: ['remaining_time_ms'],
  triggerType: ['trigger_type'],
  getRemainingTimeInMillis: ['get_remaining_time_in_millis'],
};
for (const [name, aliases] of Object.entries(contextAliases)) {
  const property = Object.getOwnPropertyDescriptor(Context.prototype, name);
  for (const alias of aliases) Object.defineProperty(Context.prototype, alias, property);
}

// --- what the handler gives back ---------------------------------------------------------------------------------

const TYPE_TEXT = 'content-type: text/plain; charset=utf-8\n';
const TYPE_BYTES = 'content-type: application/octet-stream\n';
const TYPE_JSON = 'content-type: application/json\n';
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const control = /[\x00-\x08\x0a-\x1f\x7f]/;
const binaryType =
    /^\s*(?:image\/(?!.*\+xml)|audio\/(?!.*mpegurl)|video\/|font\/|application\/(?:pdf|zip|x-zip|x-zip-compressed)\s*(?:;|$))/i;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function headerLines(name, value) {
  if (!token.test(name)) {
    throw new RangeError(`header name ${JSON.stringify(name)} is not valid: letters, digits and !#$%&'*+-.^_\`|~ are`);
  }
  if (Array.isArray(value)) return value.map((each) => headerLines(name, each)).join('');
  if (value === null || value === undefined) return '';
  const kind = typeof value;
  if (kind !== 'string' && kind !== 'number' && kind !== 'boolean' && kind !== 'bigint') {
    throw new TypeError(`header ${JSON.stringify(name)} has a value of type ${kind}: it must be text, a number or a list of them`);
  }
  const text = kind === 'string' ? value : String(value);
  if (control.test(text)) {
    throw new RangeError(`header ${JSON.stringify(name)} has a line break or another control character in its value`);
  }
  return `${name}: ${text}\n`;
}

function pairsOf(headers, what) {
  if (headers === null || headers === undefined) return [];
  if (typeof headers !== 'object' || Array.isArray(headers)) throw new TypeError(`${what} must be an object`);
  return typeof headers[Symbol.iterator] === 'function' ? [...headers] : Object.entries(headers);
}

/** {block, type}: header lines for the wire and the content type among them, or null. */
function headersOf(response) {
  let block = '';
  let type = null;
  const multi = pairsOf(response.multiValueHeaders, 'multiValueHeaders');
  const repeated = multi.map(([name]) => name.toLowerCase());
  const pairs = pairsOf(response.headers, 'headers').filter(([name]) => !repeated.includes(name.toLowerCase()));
  for (const [name, value] of [...pairs, ...multi]) {
    const lines = headerLines(name, value);
    block += lines;
    if (name.length === 12 && name.toLowerCase() === 'content-type' && lines !== '') type = lines.slice(14, -1);
  }
  if (response.cookies !== null && response.cookies !== undefined) block += headerLines('set-cookie', response.cookies);
  return { block, type };
}

/** The same for the headers that nearly every function uses: a plain object of one text. */
const lastHeaders = { name: '', value: '', made: { block: '', type: null } };
const noHeaders = { block: '', type: null };

function quickHeaders(response) {
  const headers = response.headers;
  if (response.multiValueHeaders || response.cookies) return headersOf(response);
  if (headers === null || headers === undefined) return noHeaders;
  let count = 0;
  let only = '';
  for (const name in headers) {
    ++count;
    only = name;
  }
  if (count !== 1 || typeof headers[only] !== 'string') return headersOf(response);
  if (only !== lastHeaders.name || headers[only] !== lastHeaders.value) {
    lastHeaders.made = headersOf(response);
    lastHeaders.name = only;
    lastHeaders.value = headers[only];
  }
  return lastHeaders.made;
}

function isBytes(value) {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
}

function toBytes(value) {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return value instanceof Uint8Array ? value : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

function isStream(value) {
  return typeof value === 'object' && value !== null &&
         (typeof value.next === 'function' || typeof value[Symbol.asyncIterator] === 'function');
}

function toJson(value) {
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError(`the handler's answer is not JSON: it is a ${typeof value}`);
  return text;
}

/** The status, or 0 when the object is no response but plain JSON. */
function statusOf(value) {
  const number = typeof value === 'string' && /^[0-9]+$/.test(value) ? Number(value) : value;
  if (!Number.isInteger(number)) return 0;
  if (number < 200 || number > 599) throw new RangeError(`statusCode ${value} is not valid: it must be between 200 and 599`);
  return number;
}

function decodeBase64(body, asked) {
  const text = typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength).latin1Slice();
  if (text.length % 4 === 0 && (text.length > 0 || asked) && base64.test(text)) return Buffer.from(text, 'base64');
  if (asked) throw new RangeError('isBase64Encoded is true, but the body is not padded base64');
  return null;
}

/** Sends the answer, or returns a promise of having streamed it. */
function respond(call, response, status) {
  const { block, type } = quickHeaders(response);
  let body = response.body;
  const encoded = response.isBase64Encoded;
  if (body === null || body === undefined) return answer(call, status, block, '');
  if (typeof body === 'string' || isBytes(body)) {
    let kind = TYPE_TEXT;
    if (typeof body !== 'string') {
      body = toBytes(body);
      kind = TYPE_BYTES;
    }
    if (encoded || (encoded !== false && type !== null && binaryType.test(type))) {
      const decoded = decodeBase64(body, Boolean(encoded));
      if (decoded !== null) {
        body = decoded;
        kind = TYPE_BYTES;
      }
    }
    return answer(call, status, type === null ? block + kind : block, body);
  }
  if (isStream(body)) {
    if (encoded) throw new TypeError('isBase64Encoded is true, but the body is a stream: give its bytes as they are');
    return sendStream(call, status, block, type !== null, body);
  }
  if (encoded) throw new TypeError(`isBase64Encoded is true, but the body is ${typeof body} and not text`);
  return answer(call, status, type === null ? block + TYPE_JSON : block, toJson(body));
}

function sendResult(call, result) {
  if (result === null || result === undefined) return answer(call, 204, '', '');
  if (typeof result === 'string') return answer(call, 200, TYPE_TEXT, result);
  if (typeof result === 'object') {
    const code = result.statusCode;
    if (code !== undefined && !isStream(result)) {
      const status = Number.isInteger(code) && code >= 200 && code <= 599 ? code : statusOf(code);
      if (status !== 0) return respond(call, result, status);
    }
    if (isBytes(result)) return answer(call, 200, TYPE_BYTES, toBytes(result));
    if (isStream(result)) return sendStream(call, 200, '', false, result);
  }
  return answer(call, 200, TYPE_JSON, toJson(result));
}

function answer(call, status, block, body) {
  endLines(call.id);
  if (call.cancelled) frame(DONE, call.id, '', '', 0, 0);
  else frame(RESULT, call.id, block, body, END, status | ranBits(call) << TIME_BITS);
}

/** How many bits the microseconds of its run have. */
function ranBits(call) {
  return 32 - Math.clz32((performance.now() - call.started) * 1000);
}

function isOwnFrame(line) {
  return line.includes(__filename) || line.includes('(node:internal/') || line.includes('at node:internal/');
}

function describe(error) {
  try {
    return describeAny(error);
  } catch {
    return JSON.stringify({ type: 'Error', message: '(what was thrown cannot be described)', stack: '' });
  }
}

function describeAny(error) {
  let type = typeof error;
  let message = String(error);
  let stack = '';
  if (util.types.isNativeError(error) || error instanceof Error) {
    type = (error.constructor && error.constructor.name !== 'Error' && error.constructor.name) || error.name || 'Error';
    message = String(error.message);
    const stacks = [];
    for (let each = error, n = 0; each instanceof Object && typeof each.stack === 'string' && n < 8; each = each.cause, ++n) {
      stacks.push(each.stack.split('\n').filter((line) => !isOwnFrame(line)).join('\n'));
    }
    stack = stacks.join('\nCaused by: ');
  } else if (typeof error === 'object' && error !== null) {
    type = error.name || 'Error';
    message = error.message || util.inspect(error);
  } else {
    type = 'Error';
  }
  return JSON.stringify({ type: wellFormed(type), message: wellFormed(message), stack: wellFormed(stack) });
}

/** JSON may carry half a surrogate pair, UTF-8 may not. */
function wellFormed(text) {
  return Buffer.from(String(text)).toString();
}

function fail(call, error) {
  endLines(call.id);
  if (call.cancelled) frame(DONE, call.id, '', '', 0, 0);
  else frame(ERROR, call.id, describe(error), '', 0, 0);
}

async function sendStream(call, status, block, typed, source) {
  const iterator = typeof source[Symbol.asyncIterator] === 'function' ? source[Symbol.asyncIterator]() : source;
  let begun = false;
  call.stop = () => (typeof source.destroy === 'function' ? source.destroy() : undefined);
  try {
    while (!call.cancelled) {
      const { done, value } = await iterator.next();
      if (done || call.cancelled) break;
      if (typeof value !== 'string' && !isBytes(value)) {
        throw new TypeError(`the stream gave ${value === null ? 'null' : typeof value}: every piece must be text or bytes`);
      }
      let data = typeof value === 'string' ? Buffer.from(value) : toBytes(value);
      if (!begun) {
        begun = true;
        frame(RESULT, call.id, typed ? block : block + (typeof value === 'string' ? TYPE_TEXT : TYPE_BYTES), '', 0, status);
      }
      while (data.length > 0 && !call.cancelled) {
        if (call.credit <= 0) {
          flush();
          await new Promise((wake) => { call.wake = wake; });
          continue;
        }
        const part = data.subarray(0, Math.min(call.credit, 64 * 1024));
        data = data.subarray(part.length);
        call.credit -= part.length;
        frame(CHUNK, call.id, '', part, 0, 0);
      }
      flush();
    }
  } catch (error) {
    if (!call.cancelled) throw error;
  } finally {
    if (typeof iterator.return === 'function') {
      try {
        await iterator.return();
      } catch (error) {
        if (!call.cancelled) throw error;
      }
    }
  }
  if (call.cancelled || !begun) return answer(call, status, typed ? block : block + TYPE_TEXT, '');
  endLines(call.id);
  frame(CHUNK, call.id, '', '', END, 0);
}

// --- running calls -----------------------------------------------------------------------------------------------

let handler = null;
let callbackStyle = false;
let concurrency = 1;
let quick = 0; // so many runs in a row were quick
let queue = [];
let next = 0; // of queue
let finishedAt = 0; // when the last call ended
let running = 0;
let pumping = false;
let draining = false;
let exiting = false;
const active = new Map(); // id: call that has started
const unfinished = new Map(); // id: call whose body is still coming
const startedId = Buffer.alloc(4);

class PendingCall {
  constructor(id, flags, meta, text) {
    this.id = id;
    this.flags = flags;
    this.meta = meta; // JSON text of the event array
    this.text = text; // body as the event has it
    this.parts = null; // of a body that is still coming
    this.started = 0;
    this.credit = WINDOW;
    this.cancelled = false;
    this.over = false;
    this.wake = null;
    this.stop = null;
  }
}

function invoke(call) {
  const array = JSON.parse(call.meta);
  const event = makeEvent(array, call.flags, call.text);
  const context = new Context(array, call.started);
  if (!callbackStyle) return handler(event, context);
  return new Promise((resolve, reject) => {
    const result = handler(event, context, (error, value) => (error ? reject(error) : resolve(value)));
    if (result !== undefined && result !== null && typeof result.then === 'function') {
      result.then((value) => { if (value !== undefined) resolve(value); }, reject);
    }
  });
}

/** Runs the handler and sends its answer; a promise when that takes longer than this turn. */
function run(call) {
  const result = invoke(call);
  if (result === null || typeof result !== 'object' || typeof result.then !== 'function') return sendResult(call, result);
  const promise = result instanceof Promise ? result : Promise.resolve(result);
  return promise.then((value) => sendResult(call, value));
}

function start(call, now) {
  ++running;
  call.started = now;
  active.set(call.id, call);
  if (concurrency === 1) current = call.id;
  startedId.writeUInt32LE(call.id, 0);
  fs.writeSync(PAGE, startedId, 0, 4, 0);
  let result;
  try {
    result = callOf === null ? run(call) : callOf.run(call, run, call);
  } catch (error) {
    fail(call, error);
  }
  if (result === undefined) return finish(call);
  hold();
  result.then(() => finish(call), (error) => {
    fail(call, error);
    finish(call);
  });
}

function finish(call) {
  if (call.over) return;
  call.over = true;
  active.delete(call.id);
  --running;
  if (concurrency === 1) current = 0;
  finishedAt = performance.now();
  quick = finishedAt - call.started < QUICK_RUN ? quick + 1 : 0;
  if (!pumping) pump(finishedAt);
}

/** Starts what may start. One clock reading per call: the end of one is the beginning of the next. */
function pump(now) {
  pumping = true;
  while (next < queue.length && running < concurrency) {
    const call = queue[next];
    queue[next++] = null;
    if (call.cancelled) continue;
    if (used > 0 && quick < QUICK_RUNS) {
      flush();
      now = performance.now();
    }
    start(call, now);
    if (concurrency === 1) now = finishedAt;
  }
  pumping = false;
  if (next === queue.length) {
    if (next > 0) {
      queue.length = 0;
      next = 0;
    }
    if (running === 0 || concurrency > 1) {
      if (concurrency > 1 && quick >= QUICK_RUNS) hold();
      else flush();
    }
  }
  exitWhenDrained();
}

function exitWhenDrained() {
  if (draining && running === 0 && next === queue.length && unfinished.size === 0 && handler !== null && backlog === 0) {
    endLines(0);
    flush();
    if (backlog === 0) process.exit(0);
  }
}

// --- reading -----------------------------------------------------------------------------------------------------

let rest = []; // pieces of a frame that is not whole yet
let missing = 0; // so many bytes until it may be

function onRead(size, buffer) {
  let data = buffer;
  let end = size;
  if (rest.length > 0) {
    rest.push(Buffer.from(buffer.subarray(0, size)));
    missing -= size;
    if (missing > 0) return true;
    data = Buffer.concat(rest);
    end = data.length;
    rest = [];
  }
  let at = 0;
  missing = 0;
  while (end - at >= HEADER) {
    const whole = HEADER + data.readUInt32LE(at);
    if (end - at < whole) {
      missing = whole - (end - at);
      break;
    }
    onFrame(data, at + HEADER, data.readUInt32LE(at + 4), at + whole, data.readUInt32LE(at + 8), data[at + 12], data[at + 13]);
    at += whole;
  }
  if (at < end) {
    rest.push(Buffer.from(data.subarray(at, end)));
    if (missing === 0) missing = HEADER - (end - at);
  }
  if (handler !== null && next < queue.length && running < concurrency && !pumping) pump(performance.now());
  else if (used > 0) hold();
  return true;
}

function onFrame(data, start, metaSize, end, id, type, flags) {
  const middle = start + metaSize;
  switch (type) {
    case CALL: {
      const call = new PendingCall(id, flags, data.utf8Slice(start, middle), '');
      if (flags & END) {
        if (middle < end) call.text = flags & TEXT ? data.utf8Slice(middle, end) : data.base64Slice(middle, end);
        queue.push(call);
      } else {
        call.parts = [Buffer.from(data.subarray(middle, end))];
        unfinished.set(id, call);
      }
      break;
    }
    case CHUNK: {
      const call = unfinished.get(id);
      if (call === undefined) break;
      call.parts.push(Buffer.from(data.subarray(middle, end)));
      if (flags & END) {
        unfinished.delete(id);
        call.text = Buffer.concat(call.parts).toString(call.flags & TEXT ? 'utf8' : 'base64');
        call.parts = null;
        queue.push(call);
      }
      break;
    }
    case CREDIT: {
      const call = active.get(id);
      if (call === undefined) break;
      call.credit += data.readUInt32LE(middle);
      if (call.wake !== null) call.wake();
      break;
    }
    case CANCEL:
      cancel(id);
      break;
    case PING:
      frame(PONG, id, '', Buffer.from(data.subarray(middle, end)), 0, 0);
      flush();
      break;
    case DRAIN:
      draining = true;
      exitWhenDrained();
      break;
    case LOAD:
      load(JSON.parse(data.utf8Slice(start, middle)));
      break;
  }
}

function cancel(id) {
  const call = active.get(id) || unfinished.get(id) || queue.find((each) => each !== null && each.id === id);
  if (call === undefined || call.cancelled) return; // it was answered while the cancellation was on its way
  call.cancelled = true;
  if (active.has(id)) {
    if (call.stop !== null) call.stop();
    if (call.wake !== null) call.wake();
    return;
  }
  unfinished.delete(id);
  frame(DONE, id, '', '', 0, 0);
}

// --- loading -----------------------------------------------------------------------------------------------------

class HandlerNotFound extends Error {}

const extensions = ['.js', '.cjs', '.mjs'];

function findFile(stem) {
  for (const candidate of [...extensions.map((each) => stem + each), ...extensions.map((each) => path.join(stem, 'index' + each))]) {
    if (fs.statSync(candidate, { throwIfNoEntry: false })?.isFile()) return candidate;
  }
  return null;
}

function isEsModule(file, root) {
  if (file.endsWith('.mjs')) return true;
  if (file.endsWith('.cjs')) return false;
  for (let folder = path.dirname(file); folder.startsWith(root); folder = path.dirname(folder)) {
    try {
      return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')).type === 'module';
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
  }
  return false;
}

async function loadModule(file, root) {
  return isEsModule(file, root) ? import(pathToFileURL(file).href) : createRequire(file)(file);
}

function functionOf(exported, name) {
  for (const place of [exported, exported.default]) {
    if (place !== null && place !== undefined && typeof place[name] === 'function') return place[name];
  }
  return null;
}

/** module.exports = function, or export default function. */
function bareFunction(exported) {
  return [exported, exported.default].find((each) => typeof each === 'function') || null;
}

async function findHandler({ handler: named, files, functions, code }) {
  if (named !== '') {
    const dot = named.lastIndexOf('.');
    if (dot <= 0 || dot === named.length - 1) {
      throw new HandlerNotFound(`The handler "${named}" names no function. Write FILE.FUNCTION, main.handle for example.`);
    }
    const stem = named.slice(0, dot);
    const name = named.slice(dot + 1);
    const file = findFile(path.join(code, stem)) || findFile(path.join(code, stem.replace(/\./g, '/')));
    if (file === null || !path.resolve(file).startsWith(code)) {
      throw new HandlerNotFound(`There is no ${stem}.js for the handler "${named}". Name a file of the bundle.`);
    }
    const exported = await loadModule(file, code);
    const found = functionOf(exported, name) || bareFunction(exported);
    if (found === null) {
      const there = Object.keys(exported).filter((each) => typeof exported[each] === 'function').join(', ') || 'none';
      throw new HandlerNotFound(`${path.basename(file)} exports no function "${name}". Functions there: ${there}.`);
    }
    return { name: named, found };
  }
  for (const stem of files) {
    const file = findFile(path.join(code, stem));
    if (file === null) continue;
    const exported = await loadModule(file, code);
    for (const name of functions) {
      const found = functionOf(exported, name);
      if (found !== null) return { name: `${stem}.${name}`, found };
    }
    const found = bareFunction(exported);
    if (found !== null) return { name: `${stem}.${functions[0]}`, found };
  }
  throw new HandlerNotFound(`No handler was found: none of the files ${files.map((each) => each + '.js').join(', ')} ` +
                            `exports one of the functions ${functions.join(', ')}. Name it: FILE.FUNCTION.`);
}

const kinds = { AsyncFunction: 'async', GeneratorFunction: 'generator', AsyncGeneratorFunction: 'async generator' };

async function load(message) {
  about = message;
  concurrency = Math.max(1, message.concurrency);
  if (concurrency > 1) callOf = new AsyncLocalStorage();
  for (const name of ['module', 'require', 'exports', '__filename', '__dirname']) delete globalThis[name]; // of node -e
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, message.environment);
  try {
    process.chdir(message.code);
    installLogs();
    const { name, found } = await findHandler({ ...message, code: path.resolve(message.code) });
    callbackStyle = found.length >= 3;
    const kind = callbackStyle ? 'callback' : kinds[found.constructor.name] || 'sync';
    handler = found;
    endLines(0);
    frame(READY, 0, JSON.stringify({ handler: name, kind, concurrent: true }), '', 0, 0);
  } catch (error) {
    endLines(0);
    frame(FAILED, 0, describe(error), '', 0, 0);
    flush();
    process.exit(1);
  }
  flush();
  pump(performance.now());
}

/** Something was thrown that nobody caught: the calls it may belong to fail, and the process with them. */
function crash(error) {
  if (exiting) return;
  exiting = true;
  if (about !== undefined && handler === null) {
    frame(FAILED, 0, describe(error), '', 0, 0);
  } else if (active.size === 0) {
    frame(LOG, 0, '', 'uncaught: ' + (JSON.parse(describe(error)).stack || String(error)), 0, 3);
  } else {
    const own = callOf === null ? undefined : callOf.getStore();
    for (const call of own === undefined ? active.values() : [own]) fail(call, error);
  }
  process.exit(1);
}

function main() {
  socket = new net.Socket({ fd: CONNECTION, readable: true, writable: true, allowHalfOpen: false,
                            onread: { buffer: Buffer.allocUnsafeSlow(256 * 1024), callback: onRead } });
  socket.on('error', () => process.reallyExit(0));
  socket.on('close', () => process.reallyExit(0));
  socket.on('end', () => process.reallyExit(0));
  socket.resume();
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
  process.on('exit', () => {
    exiting = true;
    flush();
  });
  process.on('SIGTERM', () => {
    if (process.listenerCount('SIGTERM') > 1) return; // the function has a handler of its own
    draining = true;
    if (about === undefined) process.exit(0);
    exitWhenDrained();
  });
  frame(HELLO, 0, JSON.stringify({ language: 'node', version: process.versions.node, encoding: 'json' }), '', 0, 0);
  flush();
}

main();
