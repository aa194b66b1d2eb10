/* Load for the benchmarks' flat-out figures: calls that send their next frame as soon as the last one is echoed.
 *
 * In C, because a server that needs less CPU time a frame than its load generator never has a full core. Every echo is
 * checked. Prints the frames echoed, the seconds they took, and the server's CPU seconds meanwhile.
 * usage: load PORT PID SECONDS <SCRIPT
 *
 * PID is the server's. SCRIPT holds the calls one after the other, as `_script` in flat_out.py writes them: for each the
 * request that opens the WebSocket, the bytes to send once it is open, the number of frames to send over and over, and
 * each frame with the payload that must come back. Numbers have 32 bits in the machine's order; a text follows its length.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 4096, MOST_CALLS = 1000, MOST_FRAMES = 64 };

/* Longer than our server holds the log lines of a new call back. */
static const double WARM_S = 3;

struct text {
    uint32_t size;
    char *bytes;
};

struct call {
    int file;
    uint32_t frames, at; /* their number, and the one that is on its way */
    size_t held;         /* bytes of `in` */
    struct text frame[MOST_FRAMES], payload[MOST_FRAMES];
    char in[BUFFER];
};

static struct call calls[MOST_CALLS];

static void fail(const char *format, ...) {
    va_list words;
    va_start(words, format);
    vfprintf(stderr, format, words);
    fputc('\n', stderr);
    exit(1);
}

static double now(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time)) fail("the server has ended");
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int number(uint32_t *value) { return fread(value, sizeof *value, 1, stdin) == 1; }

static int text(struct text *text) {
    if (!number(&text->size)) return 0;
    text->bytes = malloc(text->size + 1);
    return text->bytes && fread(text->bytes, 1, text->size, stdin) == text->size;
}

static void put(int file, const struct text *text) {
    if (send(file, text->bytes, text->size, MSG_NOSIGNAL) != (ssize_t)text->size) fail("the server does not take a frame");
}

static void dial(struct call *call, uint16_t port, const struct text *request, const struct text *opening) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    call->file = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(call->file, (struct sockaddr *)&address, sizeof address)) fail("can't connect to port %d", port);
    setsockopt(call->file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    put(call->file, request);
    while (!memmem(call->in, call->held, "\r\n\r\n", 4)) {
        ssize_t got = recv(call->file, call->in + call->held, BUFFER - call->held, 0);
        if (got <= 0) fail("no answer to a handshake");
        call->held += (size_t)got;
    }
    if (!memmem(call->in, call->held, " 101 ", 5)) fail("a handshake was refused");
    call->held = 0;
    put(call->file, opening);
}

/* Read; if a whole frame is there, check it and send the next. Return the number of frames echoed: 0 or 1. */
static int answer(struct call *call) {
    ssize_t got = recv(call->file, call->in + call->held, BUFFER - call->held, 0);
    if (got <= 0) fail("the server closed a call");
    call->held += (size_t)got;
    const unsigned char *head = (unsigned char *)call->in;
    size_t begins = (head[1] & 127) == 126 ? 4 : 2;
    if (call->held < begins) return 0;
    size_t size = begins == 4 ? (size_t)head[2] << 8 | head[3] : head[1] & 127;
    if (call->held < begins + size) return 0;
    const struct text *payload = &call->payload[call->at];
    if (call->held > begins + size || !memmem(call->in + begins, size, payload->bytes, payload->size))
        fail("not the echo of the frame sent: %.*s", (int)size, call->in + begins);
    call->held = 0;
    call->at = (call->at + 1) % call->frames;
    put(call->file, &call->frame[call->at]);
    return 1;
}

static long turns(int poll, double seconds) {
    struct epoll_event all[MOST_CALLS];
    long frames = 0;
    for (double ends = now(CLOCK_MONOTONIC) + seconds; now(CLOCK_MONOTONIC) < ends;) {
        int found = epoll_wait(poll, all, MOST_CALLS, 0); /* polls: a sleeping generator's wake-ups would cost the server */
        for (int i = 0; i < found; i++) frames += answer(all[i].data.ptr);
    }
    return frames;
}

int main(int count, char **words) {
    if (count != 4) fail("usage: load PORT PID SECONDS <SCRIPT");
    clockid_t server = (clockid_t)(~(unsigned)atoi(words[2]) << 3 | 2); /* clock_getcpuclockid(3) */
    int poll = epoll_create1(0), opened = 0;
    struct text request, opening;
    while (opened < MOST_CALLS && text(&request)) {
        struct call *call = &calls[opened++];
        if (!text(&opening) || !number(&call->frames) || call->frames > MOST_FRAMES) fail("the script is cut off");
        for (uint32_t i = 0; i < call->frames; i++)
            if (!text(&call->frame[i]) || !text(&call->payload[i])) fail("the script is cut off");
        dial(call, (uint16_t)atoi(words[1]), &request, &opening);
        struct epoll_event news = {.events = EPOLLIN, .data.ptr = call};
        epoll_ctl(poll, EPOLL_CTL_ADD, call->file, &news);
    }
    for (int i = 0; i < opened; i++) put(calls[i].file, &calls[i].frame[0]);
    turns(poll, WARM_S);
    double began = now(CLOCK_MONOTONIC), server_s = now(server);
    long frames = turns(poll, atof(words[3]));
    printf("%ld %f %f\n", frames, now(CLOCK_MONOTONIC) - began, now(server) - server_s);
    return 0;
}
