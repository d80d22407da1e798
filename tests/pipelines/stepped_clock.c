/* A wall clock that a test can step: CLOCK_REALTIME plus the seconds (int64) in the file that STEPPED_CLOCK names.
   Preloaded. The monotonic clock and sleeps stay what they are, which libfaketime 0.9.10 gets wrong for Python. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offset;

__attribute__((constructor)) static void begin(void)
{
    int fd = open(getenv("STEPPED_CLOCK"), O_RDONLY | O_CLOEXEC);
    void *map = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        abort();
    offset = map;
    close(fd);
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    int status = syscall(SYS_clock_gettime, id, t);
    if (status == 0 && id == CLOCK_REALTIME && offset)
        t->tv_sec += *offset;
    return status;
}
