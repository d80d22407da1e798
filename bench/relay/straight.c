/* The straightforward relay, the peer of sp-relay: for each datagram one recvfrom, one buffered write, one sendto to the
 * first group and, of every n-th, one to the second. 64 MiB receive buffer. straight PORT FILE GROUP1 GROUP2 PORT EVERY */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static volatile sig_atomic_t stop;
static void on_term(int s) { (void)s; stop = 1; }

int main(int argc, char **argv)
{
    if (argc < 7) return 2;
    static char data[65536];
    int in = socket(AF_INET, SOCK_DGRAM, 0), out = socket(AF_INET, SOCK_DGRAM, 0), room = 64 << 20;
    if (setsockopt(in, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room))
        setsockopt(in, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    struct sockaddr_in me = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    me.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(in, (void *)&me, sizeof me)) { perror("bind"); return 1; }
    struct in_addr lo = {htonl(INADDR_LOOPBACK)};
    setsockopt(out, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof lo);
    struct sockaddr_in to[2];
    for (int k = 0; k < 2; k++) {
        memset(&to[k], 0, sizeof to[k]);
        to[k].sin_family = AF_INET;
        to[k].sin_port = htons(atoi(argv[5]));
        inet_pton(AF_INET, argv[3 + k], &to[k].sin_addr);
    }
    FILE *file = fopen(argv[2], "wb");
    if (!file) { perror(argv[2]); return 1; }
    struct sigaction act = {.sa_handler = on_term};
    sigaction(SIGTERM, &act, NULL);
    long n = 0, every = atol(argv[6]);
    while (!stop) {
        struct sockaddr_in from;
        socklen_t size = sizeof from;
        ssize_t got = recvfrom(in, data, sizeof data, 0, (void *)&from, &size);
        if (got <= 0) continue;
        fwrite(data, 1, got, file);
        sendto(out, data, got, 0, (void *)&to[0], sizeof to[0]);
        if (every && n % every == 0) sendto(out, data, got, 0, (void *)&to[1], sizeof to[1]);
        n++;
    }
    fclose(file);
    printf("%ld\n", n);
    return 0;
}
