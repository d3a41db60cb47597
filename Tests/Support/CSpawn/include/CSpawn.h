// Starts a child process, with what glibc has for that beyond POSIX.

#ifndef C_SPAWN_H
#define C_SPAWN_H

#include <sys/types.h>

/// Starts a program with three descriptors and nothing else, in a directory (here if NULL), with no signal blocked or
/// ignored. Returns 0 and the process id, or the error number.
int c_spawn(
    pid_t *pid, const char *program, char *const *words, char *const *variables, const char *directory,
    const int descriptors[3]);

#endif
