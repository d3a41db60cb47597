#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

int postern_process_make_undumpable(void) {
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : errno;
}

int postern_process_lock_memory(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) {
        return errno;
    }
    if (geteuid() != 0 && limit.rlim_cur != RLIM_INFINITY) {
        return EPERM;
    }
    return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0 ? 0 : errno;
}

int postern_file_reserve(int descriptor, long long offset, long long length) {
    int result;
    do {
        result = fallocate(descriptor, 0, offset, length);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

int postern_file_system_synchronize(int descriptor) {
    return syncfs(descriptor) == 0 ? 0 : errno;
}
