// A PKCS#11 module that stands before a real one and misbehaves as told. It finds files beside itself: `real`, with the
// path of the real module, `control`, with the numbers of CFaultControl.h, and perhaps `environment`, with a variable
// that the real module reads when it is initialised, as in `NAME=value`.
#define _GNU_SOURCE
#include <CFaultControl.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

static CK_FUNCTION_LIST_PTR real;
static CK_FUNCTION_LIST ours;
static uint64_t *numbers;
static char environment[PATH_MAX];

// Which sessions are in use, by the low bits of their handles.
#define SESSIONS 65536
static unsigned char in_use[SESSIONS];

static void note_most(int index, uint64_t value) {
    uint64_t most = fault_load(numbers, index);
    while (value > most &&
           !__atomic_compare_exchange_n(numbers + index, &most, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    }
}

// Takes one away, and says whether there was one.
static int count_down(int index) {
    uint64_t left = fault_load(numbers, index);
    while (left && !__atomic_compare_exchange_n(numbers + index, &left, left - 1, 0, __ATOMIC_SEQ_CST,
                                                __ATOMIC_SEQ_CST)) {
    }
    return left != 0;
}

// Modules need not stand it if the sessions of calls in flight are closed, so that is done between calls.
static pthread_rwlock_t between = PTHREAD_RWLOCK_INITIALIZER;

// Calls the real module.
#define REAL(call)                                                                                                     \
    ({                                                                                                                 \
        pthread_rwlock_rdlock(&between);                                                                               \
        CK_RV value = real->call;                                                                                      \
        pthread_rwlock_unlock(&between);                                                                               \
        value;                                                                                                         \
    })

static void close_all(void) {
    pthread_rwlock_wrlock(&between);
    CK_SLOT_ID slots[64];
    CK_ULONG count = 64;
    if (real->C_GetSlotList(CK_TRUE, slots, &count) == CKR_OK)
        for (CK_ULONG i = 0; i < count; i++) real->C_CloseAllSessions(slots[i]);
    fault_store(numbers, fault_open_sessions, 0);
    pthread_rwlock_unlock(&between);
}

static void log_out(CK_SESSION_HANDLE session) {
    pthread_rwlock_wrlock(&between);
    real->C_Logout(session);
    pthread_rwlock_unlock(&between);
}

// Before a call: counts it, holds it, and says what it answers instead of being made.
static CK_RV enter(enum fault_function function, CK_SESSION_HANDLE session) {
    fault_add(numbers, fault_calls + function, 1);
    note_most(fault_most_calls, fault_add(numbers, fault_calls_now, 1));
    if (session && __atomic_exchange_n(&in_use[session % SESSIONS], 1, __ATOMIC_SEQ_CST))
        fault_add(numbers, fault_shared_sessions, 1);
    if (count_down(fault_hang + function)) {
        uint64_t release = fault_load(numbers, fault_release);
        fault_add(numbers, fault_held, 1);
        while (fault_load(numbers, fault_release) == release) usleep(1000);
        fault_add(numbers, fault_held, -1);
    }
    if (function != fault_Initialize && function != fault_Finalize) {
        if (fault_take(numbers, fault_lose_sessions)) close_all();
        if (fault_load(numbers, fault_broken)) return CKR_DEVICE_ERROR;
        if (session && fault_take(numbers, fault_lose_login)) log_out(session);
        if (session && fault_load(numbers, fault_removed)) return CKR_DEVICE_REMOVED;
    }
    return count_down(fault_failures + function) ? fault_load(numbers, fault_answer + function) : CKR_OK;
}

static CK_RV leave(CK_SESSION_HANDLE session, CK_RV answer) {
    if (session) __atomic_store_n(&in_use[session % SESSIONS], 0, __ATOMIC_SEQ_CST);
    fault_add(numbers, fault_calls_now, -1);
    return answer;
}

#define FORWARD(function, session, call)                                                                               \
    CK_RV answer = enter(fault_##function, session);                                                                   \
    if (answer == CKR_OK) answer = REAL(C_##function call);                                                            \
    return leave(session, answer);

// A call that uses a key.
#define FORWARD_KEY(function, session, call)                                                                           \
    CK_RV answer = enter(fault_##function, session);                                                                   \
    if (answer == CKR_OK && fault_load(numbers, fault_keys_gone)) answer = CKR_KEY_HANDLE_INVALID;                     \
    if (answer == CKR_OK) answer = REAL(C_##function call);                                                            \
    return leave(session, answer);

static CK_SLOT_ID own(CK_SLOT_ID slot) { return slot - fault_load(numbers, fault_slot_offset); }

// The environment is the process's, and there may be many copies of this module in it. So one at a time sets the
// variable and has its module read it. The variable is there already, so the list of variables itself stays the same.
static CK_RV initialize_real(void *arguments) {
    if (!*environment) return REAL(C_Initialize(arguments));
    char path[PATH_MAX];
    snprintf(path, sizeof path, "/tmp/postern-environment-%d", getpid());
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX)) return CKR_CANT_LOCK;
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%s", environment);
    char *value = strchr(name, '=');
    if (value) {
        *value++ = 0;
        setenv(name, value, 1);
    }
    CK_RV answer = REAL(C_Initialize(arguments));
    close(lock);
    return answer;
}

static CK_RV Initialize(void *arguments) {
    static int is_up;
    CK_RV answer = enter(fault_Initialize, 0);
    if (answer == CKR_OK && !(is_up && fault_load(numbers, fault_stays_up))) answer = initialize_real(arguments);
    is_up = 1;
    if (arguments) fault_store(numbers, fault_initialize_flags, ((CK_C_INITIALIZE_ARGS *)arguments)->flags);
    return leave(0, answer);
}

static CK_RV Finalize(void *reserved) {
    CK_RV answer = enter(fault_Finalize, 0);
    if (fault_load(numbers, fault_calls_now) > 1) fault_add(numbers, fault_hasty_finalize, 1);
    if (fault_load(numbers, fault_broken) == 1) fault_store(numbers, fault_broken, 0);
    if (answer == CKR_OK && fault_load(numbers, fault_stays_up))
        close_all();
    else if (answer == CKR_OK)
        answer = REAL(C_Finalize(reserved));
    fault_store(numbers, fault_open_sessions, 0);
    return leave(0, answer);
}

static CK_RV GetSlotList(unsigned char present, CK_SLOT_ID *slots, unsigned long *count) {
    CK_RV answer = enter(fault_GetSlotList, 0);
    if (answer == CKR_OK && fault_load(numbers, fault_removed)) {
        *count = 0;
        return leave(0, CKR_OK);
    }
    if (answer == CKR_OK) answer = REAL(C_GetSlotList(present, slots, count));
    if (answer == CKR_OK && slots)
        for (unsigned long i = 0; i < *count; i++) slots[i] += fault_load(numbers, fault_slot_offset);
    return leave(0, answer);
}

static CK_RV GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info) {
    CK_RV answer = enter(fault_GetTokenInfo, 0);
    if (answer == CKR_OK && fault_load(numbers, fault_removed)) answer = CKR_TOKEN_NOT_PRESENT;
    if (answer == CKR_OK) answer = REAL(C_GetTokenInfo(own(slot), info));
    if (answer == CKR_OK) {
        uint64_t told = fault_load(numbers, fault_told_sessions);
        if (told) info->ulMaxSessionCount = info->ulMaxRwSessionCount = told;
        info->flags |= fault_load(numbers, fault_token_flags);
    }
    return leave(0, answer);
}

static CK_RV GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO *info) { return REAL(C_GetSlotInfo(own(slot), info)); }

static CK_RV GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info) {
    FORWARD(GetMechanismInfo, 0, (own(slot), type, info))
}

static CK_RV OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                         CK_SESSION_HANDLE *session) {
    CK_RV answer = enter(fault_OpenSession, 0);
    uint64_t room = fault_load(numbers, fault_session_room);
    if (answer == CKR_OK && fault_load(numbers, fault_removed)) answer = CKR_TOKEN_NOT_PRESENT;
    if (answer == CKR_OK && room && fault_load(numbers, fault_open_sessions) >= room) answer = CKR_SESSION_COUNT;
    if (answer == CKR_OK) {
        answer = REAL(C_OpenSession(own(slot), flags, application, notify, session));
        if (answer == CKR_OK) note_most(fault_most_sessions, fault_add(numbers, fault_open_sessions, 1));
    }
    return leave(0, answer);
}

static CK_RV CloseSession(CK_SESSION_HANDLE session) {
    CK_RV answer = enter(fault_CloseSession, session);
    if (answer == CKR_OK) {
        answer = REAL(C_CloseSession(session));
        if (answer == CKR_OK) fault_add(numbers, fault_open_sessions, -1);
    }
    return leave(session, answer);
}

static CK_RV GetSessionInfo(CK_SESSION_HANDLE session, CK_SESSION_INFO *info) {
    FORWARD(GetSessionInfo, session, (session, info))
}

static CK_RV Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, unsigned char *pin, unsigned long count) {
    CK_RV answer = enter(fault_Login, session);
    if (answer == CKR_OK) answer = REAL(C_Login(session, user, pin, count));
    if (answer == CKR_OK && fault_load(numbers, fault_login_twice)) answer = REAL(C_Login(session, user, pin, count));
    return leave(session, answer);
}

static CK_RV CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE *attributes, unsigned long count,
                          CK_OBJECT_HANDLE *object) {
    FORWARD(CreateObject, session, (session, attributes, count, object))
}

static CK_RV DestroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
    FORWARD(DestroyObject, session, (session, object))
}

static CK_RV GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attributes,
                               unsigned long count) {
    FORWARD(GetAttributeValue, session, (session, object, attributes, count))
}

static CK_RV FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE *attributes, unsigned long count) {
    FORWARD(FindObjectsInit, session, (session, attributes, count))
}

static CK_RV FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, unsigned long room,
                         unsigned long *count) {
    CK_RV answer = enter(fault_FindObjects, session);
    if (answer == CKR_OK) answer = REAL(C_FindObjects(session, objects, room, count));
    if (answer == CKR_OK && fault_load(numbers, fault_keys_gone)) *count = 0;
    return leave(session, answer);
}

static CK_RV FindObjectsFinal(CK_SESSION_HANDLE session) { FORWARD(FindObjectsFinal, session, (session)) }

// What tokens that make the IV themselves do with the one that they are given.
static CK_RV treat_iv(CK_MECHANISM *mechanism) {
    uint64_t mode = fault_load(numbers, fault_iv);
    if (!mode || mechanism->mechanism != CKM_AES_GCM) return CKR_OK;
    CK_GCM_PARAMS *parameters = mechanism->pParameter;
    if (mode > 1)
        for (unsigned long i = 0; i < parameters->ulIvLen; i++)
            if (parameters->pIv[i]) return CKR_MECHANISM_PARAM_INVALID;
    static _Atomic unsigned char counter;
    if (mode < 3) {
        memset(parameters->pIv, 0xA5, parameters->ulIvLen);
        parameters->pIv[parameters->ulIvLen - 1] = counter++;
    }
    return CKR_OK;
}

static CK_RV EncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key) {
    CK_RV answer = enter(fault_EncryptInit, session);
    if (answer == CKR_OK && fault_load(numbers, fault_keys_gone)) answer = CKR_KEY_HANDLE_INVALID;
    if (answer == CKR_OK) answer = treat_iv(mechanism);
    if (answer == CKR_OK) answer = REAL(C_EncryptInit(session, mechanism, key));
    return leave(session, answer);
}

static CK_RV Encrypt(CK_SESSION_HANDLE session, unsigned char *input, unsigned long input_count, unsigned char *output,
                     unsigned long *output_count) {
    FORWARD(Encrypt, session, (session, input, input_count, output, output_count))
}

static CK_RV DecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key) {
    FORWARD_KEY(DecryptInit, session, (session, mechanism, key))
}

static CK_RV Decrypt(CK_SESSION_HANDLE session, unsigned char *input, unsigned long input_count, unsigned char *output,
                     unsigned long *output_count) {
    FORWARD(Decrypt, session, (session, input, input_count, output, output_count))
}

static CK_RV SignInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key) {
    FORWARD_KEY(SignInit, session, (session, mechanism, key))
}

static CK_RV Sign(CK_SESSION_HANDLE session, unsigned char *input, unsigned long input_count, unsigned char *output,
                  unsigned long *output_count) {
    FORWARD(Sign, session, (session, input, input_count, output, output_count))
}

static CK_RV GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *attributes,
                         unsigned long count, CK_OBJECT_HANDLE *key) {
    FORWARD(GenerateKey, session, (session, mechanism, attributes, count, key))
}

static CK_RV GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public_attributes,
                             unsigned long public_count, CK_ATTRIBUTE *private_attributes, unsigned long private_count,
                             CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key) {
    FORWARD(GenerateKeyPair, session,
            (session, mechanism, public_attributes, public_count, private_attributes, private_count, public_key,
             private_key))
}

static CK_RV WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping_key,
                     CK_OBJECT_HANDLE key, unsigned char *wrapped, unsigned long *count) {
    FORWARD_KEY(WrapKey, session, (session, mechanism, wrapping_key, key, wrapped, count))
}

static CK_RV UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE unwrapping_key,
                       unsigned char *wrapped, unsigned long wrapped_count, CK_ATTRIBUTE *attributes,
                       unsigned long count, CK_OBJECT_HANDLE *key) {
    FORWARD_KEY(UnwrapKey, session,
                (session, mechanism, unwrapping_key, wrapped, wrapped_count, attributes, count, key))
}

static int map_control(const char *folder) {
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/control", folder);
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return 0;
    void *memory = mmap(NULL, fault_number_count * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (memory == MAP_FAILED) return 0;
    numbers = memory;
    return 1;
}

// Reads a file beside the module; none is as good as an empty one.
static void read_text(const char *folder, const char *name, char text[PATH_MAX]) {
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    size_t count = file ? fread(text, 1, PATH_MAX - 1, file) : 0;
    text[count] = 0;
    if (file) fclose(file);
}

static int load_real(const char *folder) {
    char name[PATH_MAX];
    read_text(folder, "environment", environment);
    read_text(folder, "real", name);
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    CK_RV (*get)(CK_FUNCTION_LIST_PTR_PTR) = library ? dlsym(library, "C_GetFunctionList") : NULL;
    return get && get(&real) == CKR_OK;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void prepare(void) {
    Dl_info info;
    char folder[PATH_MAX];
    if (!dladdr((void *)prepare, &info)) return;
    snprintf(folder, sizeof folder, "%s", info.dli_fname);
    char *slash = strrchr(folder, '/');
    if (!slash) return;
    *slash = 0;
    if (!map_control(folder) || !load_real(folder)) return;
    ours = *real;
#define X(name) ours.C_##name = name;
    FAULT_FUNCTIONS(X)
#undef X
    ours.C_GetSlotInfo = GetSlotInfo;
    if (fault_load(numbers, fault_incomplete)) ours.C_WrapKey = NULL;
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list) {
    pthread_once(&once, prepare);
    if (!ours.C_Initialize) return CKR_GENERAL_ERROR;
    *list = &ours;
    return CKR_OK;
}
