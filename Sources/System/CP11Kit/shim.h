// PKCS#11 as p11-kit declares it (OASIS PKCS #11 v2.40), and p11-kit's loader of modules.
#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>

// What running a command for a PIN needs, and glibc shows only with _GNU_SOURCE, which Swift does not define.
#include <spawn.h>
int pipe2(int ends[2], int flags);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
