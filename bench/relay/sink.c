/* A reader of a multicast group on loopback: sink GROUP PORT GRO. Prints datagrams, bytes and drops at SIGTERM. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static volatile sig_atomic_t stop;
static void on_term(int s) { (void)s; stop = 1; }

int main(int argc, char **argv)
{
    if (argc < 4) return 2;
    static char data[65536], control[256];
    int s = socket(AF_INET, SOCK_DGRAM, 0), one = 1, room = 64 << 20, gro = atoi(argv[3]);
    if (setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room))
        setsockopt(s, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (gro) setsockopt(s, 17, 104, &one, sizeof one);
    struct sockaddr_in me = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &me.sin_addr);
    if (bind(s, (void *)&me, sizeof me)) { perror("bind"); return 1; }
    struct ip_mreq join = {.imr_interface = {htonl(INADDR_LOOPBACK)}};
    join.imr_multiaddr = me.sin_addr;
    if (setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join)) { perror("join"); return 1; }
    struct sigaction act = {.sa_handler = on_term};
    sigaction(SIGTERM, &act, NULL);
    long count = 0, bytes = 0;
    while (!stop) {
        struct iovec iov = {data, sizeof data};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        ssize_t got = recvmsg(s, &m, 0);
        if (got <= 0) continue;
        long each = got;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
            if (c->cmsg_level == 17 && c->cmsg_type == 104) { int q; memcpy(&q, CMSG_DATA(c), 4); each = q; }
        count += (got + each - 1) / each;
        bytes += got;
    }
    uint32_t info[9] = {0};
    socklen_t size = sizeof info;
    getsockopt(s, SOL_SOCKET, 55, info, &size);
    printf("%ld %ld %u\n", count, bytes, info[8]);
    return 0;
}
