/* The floor of the benchmarks: the least that one process does to echo Exotel's audio over WebSocket.
 *
 * One epoll loop; a frame costs one recv, one pass to unmask it, one search and one send. It checks, counts and logs
 * nothing, and understands only what the benchmarks' load generator sends: do not put it on a network.
 * usage: echo --host 127.0.0.1 --port 8765
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 4096, HEAD = 4, MOST_EVENTS = 256 };

static const char GUID[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, 1.3 */
static const char HEALTH[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";

struct call {
    int file;
    int open;    /* the handshake is done */
    size_t held; /* bytes of `in` */
    unsigned char in[BUFFER];
    char out[HEAD + BUFFER]; /* a frame's head, then the message, which begins the same in every frame of a call */
    size_t begins;           /* length of that beginning; 0 before the first media message */
};

static void end(struct call *call) {
    close(call->file);
    free(call);
}

static uint32_t rotated(uint32_t word, int by) { return word << by | word >> (32 - by); }

/* SHA-1 (RFC 3174) of a text of at most 119 bytes. */
static void sha1(const char *text, unsigned char digest[20]) {
    unsigned char padded[128] = {0};
    size_t length = strlen(text), blocks = length < 56 ? 1 : 2;
    uint32_t sum[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    memcpy(padded, text, length);
    padded[length] = 0x80;
    padded[blocks * 64 - 2] = (unsigned char)(length * 8 >> 8);
    padded[blocks * 64 - 1] = (unsigned char)(length * 8);
    for (size_t block = 0; block < blocks; block++) {
        uint32_t words[80], a = sum[0], b = sum[1], c = sum[2], d = sum[3], e = sum[4];
        for (int i = 0; i < 16; i++) {
            const unsigned char *at = padded + block * 64 + i * 4;
            words[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        }
        for (int i = 16; i < 80; i++) words[i] = rotated(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
        for (int i = 0; i < 80; i++) {
            uint32_t mixed = i < 20   ? ((b & c) | (~b & d)) + 0x5A827999
                             : i < 40 ? (b ^ c ^ d) + 0x6ED9EBA1
                             : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC
                                      : (b ^ c ^ d) + 0xCA62C1D6;
            uint32_t next = rotated(a, 5) + mixed + e + words[i];
            e = d, d = c, c = rotated(b, 30), b = a, a = next;
        }
        sum[0] += a, sum[1] += b, sum[2] += c, sum[3] += d, sum[4] += e;
    }
    for (int i = 0; i < 20; i++) digest[i] = (unsigned char)(sum[i / 4] >> (24 - i % 4 * 8));
}

static void base64(const unsigned char from[20], char to[29]) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0, at = 0; i < 21; i += 3) {
        uint32_t bits = (uint32_t)from[i] << 16 | (uint32_t)from[i + 1] << 8 | (i + 2 < 20 ? from[i + 2] : 0);
        for (int shift = 18; shift >= 0; shift -= 6) to[at++] = alphabet[bits >> shift & 63];
    }
    to[27] = '=', to[28] = 0;
}

/* Answer a handshake, or any other request as /health; leave in `call->in` what follows. Return 0 if the connection is over. */
static int handshake(struct call *call) {
    char *head = (char *)call->in, *ends = memmem(head, call->held, "\r\n\r\n", 4), text[128], accept[29];
    unsigned char digest[20];
    if (!ends) return call->held < BUFFER;
    *ends = 0;
    char *key = strcasestr(head, "\r\nSec-WebSocket-Key: ");
    if (!key || strlen(key) < 45) {
        send(call->file, HEALTH, sizeof HEALTH - 1, MSG_NOSIGNAL);
        return 0;
    }
    snprintf(text, sizeof text, "%.24s%s", key + 21, GUID);
    sha1(text, digest);
    base64(digest, accept);
    dprintf(call->file,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
            accept);
    call->open = 1;
    call->held -= (size_t)(ends + 4 - head);
    memmove(call->in, ends + 4, call->held);
    return 1;
}

/* Return the part of `text` between `before` and the next quote, or NULL. */
static const char *value(const char *text, size_t size, const char *before, size_t *length) {
    const char *from = memmem(text, size, before, strlen(before));
    if (!from) return NULL;
    from += strlen(before);
    const char *to = memchr(from, '"', (size_t)(text + size - from));
    *length = to ? (size_t)(to - from) : 0;
    return to ? from : NULL;
}

/* Send the echo of a message that carries media; ignore others. Return 0 if the connection is over. */
static int echo(struct call *call, const char *text, size_t size) {
    size_t length, sid_length;
    const char *payload = value(text, size, "\"payload\":\"", &length);
    if (!payload) return 1;
    char *message = call->out + HEAD;
    if (!call->begins) {
        const char *sid = value(text, size, "\"stream_sid\":\"", &sid_length);
        if (!sid) return 0;
        call->begins = (size_t)sprintf(message, "{\"event\":\"media\",\"stream_sid\":\"%.*s\",\"media\":{\"payload\":\"",
                                       (int)sid_length, sid);
    }
    memcpy(message + call->begins, payload, length);
    memcpy(message + call->begins + length, "\"}}", 3);
    size_t sent = call->begins + length + 3, head = sent < 126 ? 2 : 4;
    unsigned char *frame = (unsigned char *)message - head;
    frame[0] = 0x81;
    frame[1] = head == 2 ? (unsigned char)sent : 126;
    if (head == 4) frame[2] = (unsigned char)(sent >> 8), frame[3] = (unsigned char)sent;
    return send(call->file, frame, head + sent, MSG_NOSIGNAL) == (ssize_t)(head + sent);
}

/* Unmask and handle the whole frames in `call->in`. Return 0 if the connection is over. */
static int frames(struct call *call) {
    unsigned char *at = call->in, *ends = call->in + call->held;
    while (ends - at >= 6) {
        size_t size = at[1] & 127, head = size == 126 ? 8 : 6;
        if (size == 127 || (at[0] & 15) == 8) return 0;
        if ((size_t)(ends - at) < head) break;
        if (size == 126) size = (size_t)at[2] << 8 | at[3];
        if (head + size > BUFFER) return 0;
        if ((size_t)(ends - at) < head + size) break;
        const unsigned char *mask = at + head - 4;
        unsigned char *text = at + head;
        for (size_t i = 0; i < size; i++) text[i] ^= mask[i & 3];
        if (!echo(call, (const char *)text, size)) return 0;
        at = text + size;
    }
    call->held = (size_t)(ends - at);
    memmove(call->in, at, call->held);
    return 1;
}

static int receive(struct call *call) {
    ssize_t got = recv(call->file, call->in + call->held, BUFFER - call->held, 0);
    if (got <= 0) return 0;
    call->held += (size_t)got;
    if (!call->open && !handshake(call)) return 0;
    return !call->open || frames(call);
}

int main(int count, char **words) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8765), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 1; i + 1 < count; i += 2) {
        if (!strcmp(words[i], "--port")) address.sin_port = htons((uint16_t)atoi(words[i + 1]));
        if (!strcmp(words[i], "--host")) inet_pton(AF_INET, words[i + 1], &address.sin_addr);
    }
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) return perror("echo"), 1;
    struct epoll_event news, all[MOST_EVENTS];
    news = (struct epoll_event){.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &news);
    for (;;) {
        int found = epoll_wait(poll, all, MOST_EVENTS, -1);
        for (int i = 0; i < found; i++) {
            struct call *call = all[i].data.ptr;
            if (call) {
                if (!receive(call)) end(call);
                continue;
            }
            call = calloc(1, sizeof *call);
            if (!call || (call->file = accept(listener, NULL, NULL)) < 0) return perror("echo"), 1;
            setsockopt(call->file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            news = (struct epoll_event){.events = EPOLLIN, .data.ptr = call};
            epoll_ctl(poll, EPOLL_CTL_ADD, call->file, &news);
        }
    }
}
