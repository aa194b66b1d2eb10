// The guide's echo server as one would write it on Node `ws`: the peer the benchmarks compare against.
// usage: node echo.js --port 8765
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';

const HEALTH = JSON.stringify({ status: 'ok', service: 'exotel-passthrough', mode: 'echo' });
const MEDIA_FIRST = 5;
const MEDIA_EVERY = 500;
const MAX_MESSAGE_BYTES = 262_144;

const { values } = parseArgs({
  options: { host: { type: 'string', default: '127.0.0.1' }, port: { type: 'string', default: '8765' } },
});

let connections = 0;

const server = createServer((request, response) => {
  const found = request.url === '/health';
  response.writeHead(found ? 200 : 404, { 'Content-Type': 'application/json' });
  response.end(found ? HEALTH : '{"error":"not found"}');
});

const calls = new WebSocketServer({ server, perMessageDeflate: false, maxPayload: MAX_MESSAGE_BYTES });

calls.on('connection', (socket, request) => {
  const id = `conn_${(connections += 1)}`;
  const log = (text) => console.log(`[${id}] ${text}`);
  let streamSid = '';
  let frames = 0;

  log('🔌 WebSocket connected');
  log(`Sample rate: ${new URL(request.url, 'ws://host').searchParams.get('sample-rate') ?? 8000} Hz`);
  log(`Remote IP: ${request.socket.remoteAddress}`);

  const onStart = ({ stream_sid, start }) => {
    streamSid = stream_sid;
    log('🚀 START EVENT');
    log(`   Stream SID: ${streamSid}`);
    log(`   Call SID: ${start.call_sid}`);
    log(`   From: ${start.from} → To: ${start.to}`);
    log(`   Format: ${start.media_format.encoding} @ ${start.media_format.sample_rate}Hz`);
  };

  const onMedia = ({ media }) => {
    frames += 1;
    socket.send(JSON.stringify({ event: 'media', stream_sid: streamSid, media: { payload: media.payload } }));
    if (frames <= MEDIA_FIRST || frames % MEDIA_EVERY === 0) {
      const bytes = Buffer.byteLength(media.payload, 'base64');
      log('📨 Received: media');
      log(`🎵 MEDIA #${frames} - Chunk ${media.chunk}, ${bytes} bytes, ts=${media.timestamp}`);
      log(`🔊 ECHO sent - ${bytes} bytes`);
    }
  };

  socket.on('message', (data) => {
    let message;
    try {
      message = JSON.parse(data);
    } catch (error) {
      log(`❌ not JSON: ${error.message}`);
      return;
    }
    if (message.event === 'media') {
      onMedia(message);
      return;
    }
    log(`📨 Received: ${message.event}`);
    switch (message.event) {
      case 'connected':
        log('🎉 CONNECTED EVENT');
        break;
      case 'start':
        onStart(message);
        break;
      case 'stop':
        log(`🛑 STOP EVENT - Reason: ${message.stop.reason}`);
        log(`📊 Total media packets: ${frames}`);
        break;
    }
  });
  socket.on('error', (error) => log(`❌ ${error.message}`));
  socket.on('close', (code) => log(`👋 Connection closed (${code})`));
});

server.listen(Number(values.port), values.host, () => console.log(`listening on ${values.host}:${values.port}`));
process.on('SIGTERM', () => process.exit(0));
