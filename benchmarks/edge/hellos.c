/* A flood of TCP connections from many sources, for the benchmark of the edge: each sends the first message of a TLS
 * handshake, or nothing. In C, because a generator in Python takes more of the machine than the flood costs the edge.
 *
 * usage: hellos ADDRESS PORT FIRST_SOURCE SOURCES RATE SECONDS KEEP <MESSAGE
 *
 * Opens RATE connections a second for SECONDS, from SOURCES addresses one after the other, and sends MESSAGE on each. KEEP 0:
 * a connection ends at its first answer, or after a second. KEEP 1: it is held open until the edge or the time ends it. Goes to
 * addresses for benchmarks and of loopback only. Prints one line of JSON; `answered` got bytes of the edge, `closed` none.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_MESSAGE = 4096, MOST_FILES = 40000, MOST_EVENTS = 512, MOST_RATE = 20000, MOST_SECONDS = 60, BURST = 32 };

static const double ANSWER_S = 1;

struct connection {
    double began; /* 0: not in use */
    int sent;
};

static struct connection connections[MOST_FILES]; /* by file descriptor */
static int order[MOST_FILES], oldest, newest;     /* a ring of descriptors, by age, with the time they began */
static double since[MOST_FILES];
static int epoll;
static uint64_t tried, answered, closed, silent, unopened;
static int now_open, most_open;

static void fail(const char *format, ...) {
    va_list words;
    va_start(words, format);
    vfprintf(stderr, format, words);
    fputc('\n', stderr);
    exit(1);
}

static double now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Reset a connection, so that neither side waits for the other. */
static void end(int file, uint64_t *as) {
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(file, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(file);
    connections[file].began = 0;
    now_open--;
    (*as)++;
}

static void begin(const struct sockaddr_in *to, struct sockaddr_in from) {
    int on = 1, file = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    tried++;
    if (file < 0 || file >= MOST_FILES || (newest + 1) % MOST_FILES == oldest) {
        if (file >= 0) close(file);
        unopened++;
        return;
    }
    setsockopt(file, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(file, (struct sockaddr *)&from, sizeof from) ||
        (connect(file, (const struct sockaddr *)to, sizeof *to) && errno != EINPROGRESS)) {
        close(file);
        unopened++;
        return;
    }
    struct epoll_event event = {.events = EPOLLOUT | EPOLLIN, .data.fd = file};
    epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event);
    connections[file] = (struct connection){.began = now(CLOCK_MONOTONIC)};
    order[newest] = file, since[newest] = connections[file].began;
    newest = (newest + 1) % MOST_FILES;
    if (++now_open > most_open) most_open = now_open;
}

static void turn(int file, uint32_t events, const char *message, size_t size, int keep) {
    struct connection *it = &connections[file];
    char answer[2048];
    if (it->began == 0) return;
    if (events & EPOLLOUT && !it->sent && !(events & EPOLLERR)) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = file};
        it->sent = 1;
        if (size && send(file, message, size, MSG_NOSIGNAL) < 0) return end(file, &closed);
        epoll_ctl(epoll, EPOLL_CTL_MOD, file, &event);
    }
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        ssize_t got = recv(file, answer, sizeof answer, 0);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0)
            end(file, &closed);
        else if (!keep)
            end(file, &answered);
    }
}

/* End what is older than `age` seconds. */
static void give_up(double age) {
    double at = now(CLOCK_MONOTONIC);
    for (; oldest != newest && at - since[oldest] >= age; oldest = (oldest + 1) % MOST_FILES) {
        int file = order[oldest];
        if (connections[file].began == since[oldest]) end(file, &silent); /* else it ended, and the number is another's */
    }
}

static double among(const char *text, const char *what, double least, double most) {
    char *ends;
    double value = strtod(text, &ends);
    if (*ends || !(value >= least && value <= most)) fail("%s %s: a number from %g to %g", what, text, least, most);
    return value;
}

static void check_own(const struct sockaddr_in *to) {
    uint32_t address = ntohl(to->sin_addr.s_addr);
    if (address >> 24 != 127 && address >> 17 != (198u << 24 | 18u << 16) >> 17)
        fail("only loopback and addresses for benchmarks (198.18.0.0/15) are flooded");
}

int main(int count, char **words) {
    static char message[MOST_MESSAGE];
    struct epoll_event events[MOST_EVENTS];
    struct rlimit files;
    struct sockaddr_in to = {.sin_family = AF_INET}, from = {.sin_family = AF_INET};
    if (count != 8) fail("usage: hellos ADDRESS PORT FIRST_SOURCE SOURCES RATE SECONDS KEEP <MESSAGE");
    if (!inet_pton(AF_INET, words[1], &to.sin_addr) || !inet_pton(AF_INET, words[3], &from.sin_addr)) fail("no IPv4 address");
    check_own(&to);
    to.sin_port = htons((uint16_t)among(words[2], "PORT", 1, 65535));
    uint32_t first = ntohl(from.sin_addr.s_addr), sources = (uint32_t)among(words[4], "SOURCES", 1, 1 << 20);
    double rate = among(words[5], "RATE", 1, MOST_RATE), seconds = among(words[6], "SECONDS", 0.1, MOST_SECONDS);
    int keep = among(words[7], "KEEP", 0, 1) > 0;
    size_t size = fread(message, 1, sizeof message, stdin);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    epoll = epoll_create1(0);
    double began = now(CLOCK_MONOTONIC), passed;
    while ((passed = now(CLOCK_MONOTONIC) - began) < seconds) {
        for (int burst = 0; burst < BURST && (double)tried < passed * rate; burst++) {
            from.sin_addr.s_addr = htonl(first + (uint32_t)(tried % sources));
            begin(&to, from);
        }
        int ready = epoll_wait(epoll, events, MOST_EVENTS, (double)tried < passed * rate ? 0 : 1);
        for (int at = 0; at < ready; at++) turn(events[at].data.fd, events[at].events, message, size, keep);
        if (!keep) give_up(ANSWER_S);
    }
    give_up(0);
    printf("{\"tried\": %lu, \"answered\": %lu, \"closed\": %lu, \"silent\": %lu, \"unopened\": %lu, "
           "\"most_open\": %d, \"seconds\": %.3f, \"cpu_s\": %.3f}\n",
           tried, answered, closed, silent, unopened, most_open, passed, now(CLOCK_PROCESS_CPUTIME_ID));
    return 0;
}
