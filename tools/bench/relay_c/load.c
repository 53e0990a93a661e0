/* The load of the relay benchmark: one feed and many clients in one process, pinned to the other core.
 *
 * usage: load FEED_PORT PORTS KEY CLIENTS INSTRUMENTS PER_CLIENT PACKETS FRAMES_PER_S SETTLE SECONDS IN_FLIGHT STALLED
 *             SLOW JSON SPIN
 *
 * PORTS: relay ports with commas; clients spread over them. IN_FLIGHT 0: frames are sent by the clock; n: as fast as the
 * relay delivers, with at most n frames on their way. STALLED clients never read, SLOW ones read 1 kB/s; both want all
 * instruments, join before the measured time, and are not counted. Prints BEGIN and END around that time, then one line
 * of JSON. The first SETTLE seconds are not measured.
 *
 * With SPIN it never sleeps: the relay that writes to a sleeping client pays for waking its core, and real clients are
 * elsewhere. Without, it leaves its core to others that run there.
 *
 * Each packet carries the time it was sent at and its instrument's sequence number, so latency and loss are exact.
 * It is no part of the product.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PACKET = 184, BINS = 4000000, STEP = 10 };

struct client {
    int fd, size, have, room, gone;
    uint8_t *buffer;
    uint32_t *seen; /* last sequence number by instrument; 0: none yet */
    uint8_t *wants;
};

static int instruments, per_client, packets, json, client_count;
static struct client *clients;
static uint32_t *sequence;
static uint32_t *bins; /* latencies, by microsecond */
static uint64_t delivered, received, messages, lost, doubled, heartbeats, closed;
static int measuring;
static int source;
static uint8_t *frame;
static uint64_t *expected; /* deliveries of the frame of each phase */

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int dial(int port, int buffer) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (buffer) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&at, sizeof at)) {
        perror("connect");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void send_all(int fd, const void *data, size_t size) {
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(fd, (const char *)data + sent, size - sent, MSG_NOSIGNAL);
        if (n < 0) {
            perror("send");
            exit(1);
        }
        sent += n;
    }
}

static uint32_t token_of(int instrument) { return (uint32_t)(instrument + 1) << 8 | 1; }

/* Shake hands and subscribe. */
static void enter(int fd, const char *key, const uint8_t *wants) {
    char request[512], byte, last[4] = {0};
    int n = snprintf(request, sizeof request,
                     "GET /?api_key=bench&access_token=%s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade"
                     "\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n", key);
    send_all(fd, request, n);
    int first = 1;
    while (memcmp(last, "\r\n\r\n", 4)) {
        if (recv(fd, &byte, 1, 0) != 1) {
            fprintf(stderr, "refused\n");
            exit(1);
        }
        memmove(last, last + 1, 3);
        last[3] = byte;
        if (first && byte == ' ') {
            char status[4] = {0};
            if (recv(fd, status, 3, MSG_WAITALL) != 3 || strcmp(status, "101")) {
                fprintf(stderr, "refused with %s\n", status);
                exit(1);
            }
            first = 0;
        }
    }
    if (!wants) return;
    char *text = malloc(64 + instruments * 12);
    int size = sprintf(text, "{\"a\": \"mode\", \"v\": [\"full\", [");
    for (int i = 0, some = 0; i < instruments; i++)
        if (wants[i]) size += sprintf(text + size, some++ ? ",%u" : "%u", token_of(i));
    size += sprintf(text + size, "]]}");
    uint8_t head[8] = {0x81, 0x80 | 126, size >> 8, size, 0, 0, 0, 0};
    send_all(fd, head, 8);
    send_all(fd, text, size);
    free(text);
}

static void take(struct client *client, uint32_t token, uint64_t sent_at, uint32_t number, uint64_t at) {
    uint32_t instrument = (token >> 8) - 1;
    if (instrument >= (uint32_t)instruments) return;
    uint32_t last = client->seen[instrument];
    received++;
    if (last && number <= last) doubled++;
    if (last && number > last + 1 && measuring) lost += number - last - 1;
    client->seen[instrument] = number;
    if (!measuring) return;
    delivered++;
    uint64_t us = (at - sent_at) / 1000;
    bins[us < BINS ? us : BINS - 1]++;
}

static uint32_t be32(const uint8_t *p) { return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }

static uint32_t field(const char *text, const char *name) {
    const char *found = strstr(text, name);
    return found ? strtoul(found + strlen(name), NULL, 10) : 0;
}

static void read_message(struct client *client, uint8_t *p, int size, int opcode, uint64_t at) {
    if (opcode == 8) closed++;
    if (size == 1) heartbeats++;
    if (measuring && size > 1) messages++;
    if (opcode == 1 && json) {
        uint8_t kept = p[size];
        p[size] = 0;
        const char *text = (const char *)p;
        uint64_t sent = (uint64_t)field(text, "\"volume_traded\": ") << 32 | field(text, "\"total_buy_quantity\": ");
        take(client, field(text, "\"instrument_token\": "), sent, field(text, "\"total_sell_quantity\": "), at);
        p[size] = kept;
    } else if (opcode == 2 && size > 1) {
        int count = p[0] << 8 | p[1];
        uint8_t *packet = p + 2;
        for (int i = 0; i < count; i++) {
            int length = packet[0] << 8 | packet[1];
            packet += 2;
            take(client, be32(packet), (uint64_t)be32(packet + 16) << 32 | be32(packet + 20), be32(packet + 24), at);
            packet += length;
        }
    }
}

static void hear(struct client *client) {
    if (client->room - client->have < 65536) {
        client->room = client->room ? client->room * 2 : 131072;
        client->buffer = realloc(client->buffer, client->room + 1);
    }
    ssize_t got = recv(client->fd, client->buffer + client->have, client->room - client->have, MSG_DONTWAIT);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) client->gone = 1, close(client->fd);
        return;
    }
    uint64_t at = now_ns();
    client->have += got;
    uint8_t *p = client->buffer;
    int left = client->have;
    while (left >= 2) {
        uint64_t size = p[1] & 127;
        int head = 2;
        if (size == 126) {
            if (left < 4) break;
            size = p[2] << 8 | p[3], head = 4;
        } else if (size == 127) {
            if (left < 10) break;
            size = (uint64_t)be32(p + 2) << 32 | be32(p + 6), head = 10;
        }
        if ((uint64_t)left < head + size) break;
        read_message(client, p + head, size, p[0] & 15, at);
        p += head + size;
        left -= head + size;
    }
    memmove(client->buffer, p, left);
    client->have = left;
}

/* Send the frame of a phase: each `packets` instruments in turn. */
static void tick(int phase) {
    uint64_t at = now_ns();
    uint8_t *p = frame + 6;
    for (int i = 0; i < packets; i++) {
        int instrument = (phase * packets + i) % instruments;
        uint32_t number = ++sequence[instrument];
        p += 2;
        uint32_t token = token_of(instrument);
        p[0] = token >> 24, p[1] = token >> 16, p[2] = token >> 8, p[3] = token;
        uint32_t hi = at >> 32, lo = at;
        p[16] = hi >> 24, p[17] = hi >> 16, p[18] = hi >> 8, p[19] = hi;
        p[20] = lo >> 24, p[21] = lo >> 16, p[22] = lo >> 8, p[23] = lo;
        p[24] = number >> 24, p[25] = number >> 16, p[26] = number >> 8, p[27] = number;
        p += PACKET;
    }
    send_all(source, frame, 6 + packets * (PACKET + 2));
}

static double quantile(double q) {
    uint64_t want = delivered * q, sum = 0;
    for (int i = 0; i < BINS; i++)
        if ((sum += bins[i]) > want) return i / 1000.0;
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 16) return 2;
    char *ports = argv[2], *key = argv[3];
    client_count = atoi(argv[4]), instruments = atoi(argv[5]), per_client = atoi(argv[6]), packets = atoi(argv[7]);
    double rate = atof(argv[8]), settle = atof(argv[9]), seconds = atof(argv[10]);
    int in_flight = atoi(argv[11]), stalled = atoi(argv[12]), slow = atoi(argv[13]);
    json = atoi(argv[14]);
    int nap_ms = atoi(argv[15]) ? 0 : 1;
    int phases = (instruments + packets - 1) / packets, port_list[16], port_count = 0;
    for (char *part = strtok(ports, ","); part; part = strtok(NULL, ",")) port_list[port_count++] = atoi(part);
    clients = calloc(client_count, sizeof *clients);
    sequence = calloc(instruments, sizeof *sequence);
    expected = calloc(phases, sizeof *expected);
    bins = calloc(BINS, sizeof *bins);
    int frame_size = 2 + packets * (PACKET + 2);
    frame = calloc(1, 4 + frame_size + 64);
    memcpy(frame, &frame_size, 4);
    frame[4] = packets >> 8, frame[5] = packets;
    for (int i = 0; i < packets; i++) frame[6 + i * (PACKET + 2) + 1] = PACKET;
    srand(1);
    int poll = epoll_create1(0);
    for (int c = 0; c < client_count; c++) {
        struct client *client = clients + c;
        client->seen = calloc(instruments, sizeof *client->seen);
        client->wants = calloc(instruments, 1);
        for (int n = 0; n < per_client;) {
            int i = rand() % instruments;
            if (!client->wants[i]) client->wants[i] = 1, n++;
        }
        for (int phase = 0; phase < phases; phase++)
            for (int i = 0; i < packets; i++) expected[phase] += client->wants[(phase * packets + i) % instruments];
        client->fd = dial(port_list[c % port_count], 0);
        enter(client->fd, key, per_client ? client->wants : NULL);
        struct epoll_event event = {EPOLLIN, {.ptr = client}};
        epoll_ctl(poll, EPOLL_CTL_ADD, client->fd, &event);
    }
    uint8_t *everything = malloc(instruments);
    memset(everything, 1, instruments);
    source = dial(atoi(argv[1]), 0);
    struct epoll_event events[512];
    uint64_t start = now_ns(), begin = start + (uint64_t)(settle * 1e9), end = begin + (uint64_t)(seconds * 1e9);
    uint64_t pause = 1e9 / rate, rest = settle / 2 * 1e9, next = start, outstanding = 0, sent_frames = 0, slow_next = 0;
    int phase = 0, slow_fds[16], bad = 0, settled = 0, joined = 0, begun = 0;
    for (;;) {
        uint64_t now = now_ns();
        if (!joined && now >= begin - rest) {
            joined = 1;
            for (int i = 0; i < stalled + slow; i++) {
                int fd = dial(port_list[0], 4096);
                enter(fd, key, everything);
                if (i >= stalled) slow_fds[bad++] = fd;
            }
        }
        if (!begun && now >= begin) {
            begun = measuring = 1;
            end = now + (uint64_t)(seconds * 1e9); /* from now: the machine may have slept */
            puts("BEGIN");
            fflush(stdout);
        }
        if (begun && now >= end && measuring) {
            measuring = 0;
            puts("END");
            fflush(stdout);
        }
        if (begun && now >= end + rest) break;
        if (!in_flight || now < begin - rest || now >= end) {
            if (now >= next && now < end) {
                tick(phase);
                sent_frames++;
                phase = (phase + 1) % phases;
                next += pause;
            }
        } else {
            if (!settled) settled = 1, outstanding = received; /* all that was sent has arrived by now */
            while ((int64_t)(outstanding - received) <= (int64_t)((in_flight - 1) * expected[phase])) {
                outstanding += expected[phase];
                tick(phase);
                sent_frames++;
                phase = (phase + 1) % phases;
            }
        }
        if (bad && now >= slow_next) {
            char scrap[100];
            for (int i = 0; i < bad; i++)
                if (recv(slow_fds[i], scrap, sizeof scrap, MSG_DONTWAIT) == 0) close(slow_fds[i]), slow_fds[i] = slow_fds[--bad];
            slow_next = now + 100000000ull;
        }
        int n = epoll_wait(poll, events, 512, nap_ms);
        for (int i = 0; i < n; i++) hear(events[i].data.ptr);
    }
    int gone = 0;
    for (int c = 0; c < client_count; c++) gone += clients[c].gone;
    printf("{\"delivered\": %lu, \"messages\": %lu, \"lost\": %lu, \"doubled\": %lu, \"gone\": %d, \"closed\": %lu, "
           "\"heartbeats\": %lu, \"frames\": %lu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"seconds\": %.3f, \"delays\": {",
           delivered, messages, lost, doubled, gone, closed, heartbeats, sent_frames, quantile(0.5), quantile(0.99), seconds);
    const char *comma = "";
    for (int i = 0; i < BINS; i += STEP) {
        uint32_t count = 0;
        for (int j = i; j < i + STEP; j++) count += bins[j];
        if (count) printf("%s\"%d\": %u", comma, i, count), comma = ", ";
    }
    puts("}}");
    return 0;
}
