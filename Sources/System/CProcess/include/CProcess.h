// System calls that Swift cannot import because they are variadic or hidden behind feature macros.
#ifndef POSTERN_CPROCESS_H
#define POSTERN_CPROCESS_H

// prctl(PR_SET_DUMPABLE, 0): no core dump, and no attaching by other processes of the same user.
// Returns 0, or an errno value.
int postern_process_make_undumpable(void);

// mlockall for present and future pages, each locked when first touched (MCL_ONFAULT, Linux 4.4),
// so that locking does not itself make every reserved stack resident. Only where the process may lock without
// limit: under a limit, allocations would start to fail. Returns 0, EPERM, or another errno value.
int postern_process_lock_memory(void);

// fallocate(2): reserves `length` bytes from `offset` on disk. Returns 0, or an errno value.
int postern_file_reserve(int descriptor, long long offset, long long length);

// syncfs(2): makes everything in the file system of an open file durable. Returns 0, or an errno value, also for
// anything that could not be written back since the file was opened (Linux 5.8).
int postern_file_system_synchronize(int descriptor);

#endif
