/* The floor of the relay benchmark: the least work that spreads frames over clients, in C with epoll and writev.
 *
 * usage: floor PORT FEED_PORT
 *
 * It has no keys, heartbeats, modes or slow clients: one write per client and upstream frame, nothing else. The feed
 * sends frames of Kite's with their length (4 bytes, little-endian) before them. It is no part of the product.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { TOKENS = 4096, CLIENTS = 4096, FRAME = 1 << 22 };

struct client {
    int fd, open;
    uint8_t wants[TOKENS]; /* by instrument token >> 8 */
    char in[65536];
    int have;
};

static struct client *clients[CLIENTS];
static int client_count;
static uint8_t feed_buffer[FRAME];
static int feed_have;

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 1024)) {
        perror("listen");
        exit(1);
    }
    return fd;
}

/* Take what a client sent: the handshake, then `{"a": "mode", "v": ["full", [tokens]]}` in one masked frame. */
static void hear(struct client *client) {
    ssize_t got = recv(client->fd, client->in + client->have, sizeof client->in - client->have - 1, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) {
            close(client->fd);
            client->open = 0;
        }
        return;
    }
    client->have += got;
    client->in[client->have] = 0;
    if (!client->open) {
        if (!strstr(client->in, "\r\n\r\n")) return;
        static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                     "Sec-WebSocket-Accept: unchecked\r\n\r\n";
        if (send(client->fd, answer, sizeof answer - 1, 0) < 0) perror("send");
        client->open = 1;
        client->have = 0;
        return;
    }
    uint8_t *in = (uint8_t *)client->in;
    while (client->have >= 8) {
        int size = in[1] & 127, head = 6;
        if (size == 126) size = in[2] << 8 | in[3], head = 8;
        if (client->have < head + size) return;
        uint8_t *mask = in + head - 4, *text = in + head;
        for (int i = 0; i < size; i++) text[i] ^= mask[i & 3];
        uint32_t number = 0;
        for (int i = 0; i < size; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                number = number * 10 + text[i] - '0';
            } else if (number) {
                client->wants[number >> 8 & (TOKENS - 1)] = 1;
                number = 0;
            }
        }
        client->have -= head + size;
        memmove(in, in + head + size, client->have);
    }
}

/* Spread one frame: index its packets once, then one writev for each client that wants some of them. */
static void spread(uint8_t *frame) {
    static struct iovec all[65536];
    static uint32_t tokens[65536];
    static struct iovec some[1024];
    int count = frame[0] << 8 | frame[1];
    uint8_t *at = frame + 2;
    for (int i = 0; i < count; i++) {
        int length = at[0] << 8 | at[1];
        all[i] = (struct iovec){at, length + 2};
        tokens[i] = (uint32_t)(at[2] << 24 | at[3] << 16 | at[4] << 8 | at[5]) >> 8 & (TOKENS - 1);
        at += length + 2;
    }
    for (int c = 0; c < client_count; c++) {
        struct client *client = clients[c];
        if (!client->open) continue;
        int n = 1, size = 2;
        for (int i = 0; i < count; i++) {
            if (client->wants[tokens[i]]) {
                some[n++] = all[i];
                size += all[i].iov_len;
            }
        }
        if (n == 1) continue;
        uint8_t head[12] = {0x82};
        int used = 2;
        if (size < 126) {
            head[1] = size;
        } else if (size < 65536) {
            head[1] = 126, head[2] = size >> 8, head[3] = size, used = 4;
        } else {
            head[1] = 127, used = 10;
            for (int i = 0; i < 8; i++) head[2 + i] = (uint64_t)size >> (56 - 8 * i);
        }
        head[used++] = (n - 1) >> 8;
        head[used++] = n - 1;
        some[0] = (struct iovec){head, used};
        ssize_t want = size - 2 + used, sent = writev(client->fd, some, n);
        if (sent != want) {
            fprintf(stderr, "a client takes too little: %zd of %zd\n", sent, want);
            close(client->fd);
            client->open = 0;
        }
    }
}

static int feed(int fd) {
    ssize_t got = recv(fd, feed_buffer + feed_have, sizeof feed_buffer - feed_have, 0);
    if (got <= 0) return got == 0 || errno != EAGAIN ? -1 : 0;
    feed_have += got;
    int at = 0;
    while (feed_have - at >= 4) {
        uint32_t size;
        memcpy(&size, feed_buffer + at, 4);
        if (feed_have - at < 4 + (int)size) break;
        spread(feed_buffer + at + 4);
        at += 4 + size;
    }
    feed_have -= at;
    memmove(feed_buffer, feed_buffer + at, feed_have);
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    int door = listen_on(atoi(argv[1])), mouth = listen_on(atoi(argv[2])), poll = epoll_create1(0), on = 1;
    struct epoll_event event = {EPOLLIN, {.u64 = 0}}, events[512];
    epoll_ctl(poll, EPOLL_CTL_ADD, door, &event);
    event.data.u64 = 1;
    epoll_ctl(poll, EPOLL_CTL_ADD, mouth, &event);
    int source = -1;
    puts("READY");
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(poll, events, 512, -1);
        for (int i = 0; i < n; i++) {
            uint64_t who = events[i].data.u64;
            if (who == 0) {
                int fd;
                while ((fd = accept4(door, NULL, NULL, SOCK_NONBLOCK)) >= 0 && client_count < CLIENTS) {
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                    struct client *client = clients[client_count++] = calloc(1, sizeof *client);
                    client->fd = fd;
                    event.data.ptr = client;
                    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
                }
            } else if (who == 1) {
                source = accept4(mouth, NULL, NULL, SOCK_NONBLOCK);
                event.data.u64 = 2;
                epoll_ctl(poll, EPOLL_CTL_ADD, source, &event);
            } else if (who == 2) {
                if (feed(source) < 0) return 0;
            } else {
                hear(events[i].data.ptr);
            }
        }
    }
}
