/* Load generator: load HOST PORT BYTES RATE COUNT TRAIN [HEADFILE AT ANNOUNCEFILE]
 * COUNT datagrams of BYTES bytes at RATE a second (0: flat out), TRAIN to a kernel buffer (1: plain), numbered in the
 * 8 little-endian bytes at AT. With HEADFILE its bytes begin each datagram (a frame, whose number stands at AT), and
 * ANNOUNCEFILE is sent first. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static size_t load(const char *path, char *to, size_t most)
{
    FILE *file = fopen(path, "rb");
    if (!file) { perror(path); exit(1); }
    size_t n = fread(to, 1, most, file);
    fclose(file);
    return n;
}

int main(int argc, char **argv)
{
    if (argc < 7) { fprintf(stderr, "load HOST PORT BYTES RATE COUNT TRAIN [HEADFILE AT ANNOUNCEFILE]\n"); return 2; }
    long size = atol(argv[3]), count = atol(argv[5]), train = atol(argv[6]), at = argc > 8 ? atol(argv[8]) : 0;
    double rate = atof(argv[4]);
    if (train * size > 65507) train = 65507 / size;
    if (train > 64) train = 64;
    if (train < 1) train = 1;
    static char data[65536], announcement[65536];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (char)(i * 7);
    char head[4096];
    size_t have = argc > 7 ? load(argv[7], head, sizeof head) : 0;
    for (long k = 0; k < train; k++) memcpy(data + k * size, head, have);
    int s = socket(AF_INET, SOCK_DGRAM, 0), room = 4 << 20;
    setsockopt(s, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &to.sin_addr);
    if (connect(s, (void *)&to, sizeof to)) { perror("connect"); return 1; }
    if (argc > 9) {
        size_t n = load(argv[9], announcement, sizeof announcement);
        if (send(s, announcement, n, 0) < 0) perror("announcement");
        usleep(100000);
    }
    int segment = size;
    if (train > 1 && setsockopt(s, 17, 103, &segment, sizeof segment)) { perror("UDP_SEGMENT"); return 1; }
    double begin = now();
    for (long n = 0; n < count;) {
        long some = count - n < train ? count - n : train;
        for (long k = 0; k < some; k++) {
            uint64_t number = n + k;
            memcpy(data + k * size + at, &number, 8);
        }
        while (send(s, data, some * size, 0) < 0) usleep(50);
        n += some;
        if (rate > 0) {
            double ahead = n / rate - (now() - begin);
            if (ahead > 0.0005) usleep((useconds_t)(ahead * 1e6));
        }
    }
    double took = now() - begin;
    printf("%ld %.6f\n", count, took);
    return 0;
}
