// What a test and the faulty PKCS#11 module in its process share: numbers in a mapped file, each read and written
// atomically.
#ifndef POSTERN_FAULT_CONTROL_H
#define POSTERN_FAULT_CONTROL_H

#include <stdint.h>

// The functions that can be counted, made to fail and made to hang.
#define FAULT_FUNCTIONS(X)                                                                                             \
    X(Initialize) X(Finalize) X(GetSlotList) X(GetTokenInfo) X(GetMechanismInfo) X(OpenSession) X(CloseSession)        \
    X(GetSessionInfo) X(Login) X(CreateObject) X(DestroyObject) X(GetAttributeValue) X(FindObjectsInit)                \
    X(FindObjects) X(FindObjectsFinal) X(EncryptInit) X(Encrypt) X(DecryptInit) X(Decrypt) X(SignInit) X(Sign)         \
    X(GenerateKey) X(GenerateKeyPair) X(WrapKey) X(UnwrapKey)

enum fault_function {
#define X(name) fault_##name,
    FAULT_FUNCTIONS(X)
#undef X
    fault_function_count
};

// Four numbers for each function, and single ones after them.
enum fault_number {
    // How often it was called.
    fault_calls = 0,
    // How many calls from now on answer `fault_answer` instead of being made.
    fault_failures = fault_calls + fault_function_count,
    fault_answer = fault_failures + fault_function_count,
    // How many calls from now on are held until `fault_release` changes.
    fault_hang = fault_answer + fault_function_count,

    // How many calls are held now, and what lets them go on when it changes.
    fault_held = fault_hang + fault_function_count,
    fault_release,
    // The next call finds all sessions closed, as after a reset of the token. Back to 0 by itself.
    fault_lose_sessions,
    // The next call with a session finds the user logged out. Back to 0 by itself.
    fault_lose_login,
    // While not 0, the token is out of its slot.
    fault_removed,
    // What is added to the numbers of slots.
    fault_slot_offset,
    // Every call answers CKR_DEVICE_ERROR: 1 until the module is finalised, 2 after that too.
    fault_broken,
    // What the token says of its limit on sessions, unless 0; and what the limit is, unless 0.
    fault_told_sessions,
    fault_session_room,
    // While not 0, no key is found, and handles of keys are no longer good.
    fault_keys_gone,
    // What becomes of the IV of AES-GCM: 1 replaced, 2 taken only if it is zeros and replaced, 3 taken only if zeros.
    fault_iv,
    // Flags that the token has in addition to its own.
    fault_token_flags,
    // While not 0, C_Login logs in twice, and answers what the token says the second time.
    fault_login_twice,
    // While not 0 when it is loaded, the module lacks C_WrapKey.
    fault_incomplete,
    // While not 0, C_Finalize closes all sessions and does no more, for a module that shares libraries with others in
    // the process.
    fault_stays_up,

    // Seen by the module: sessions open now and at most, calls made now and at most, and what must never happen: a
    // session used by two threads at a time, and C_Finalize with calls in flight.
    fault_open_sessions,
    fault_most_sessions,
    fault_calls_now,
    fault_most_calls,
    fault_shared_sessions,
    fault_hasty_finalize,
    // The flags that C_Initialize was given last.
    fault_initialize_flags,
    fault_number_count
};

static inline uint64_t fault_load(const uint64_t *numbers, int index) {
    return __atomic_load_n(numbers + index, __ATOMIC_SEQ_CST);
}

static inline void fault_store(uint64_t *numbers, int index, uint64_t value) {
    __atomic_store_n(numbers + index, value, __ATOMIC_SEQ_CST);
}

// Returns the new value.
static inline uint64_t fault_add(uint64_t *numbers, int index, int64_t value) {
    return __atomic_add_fetch(numbers + index, (uint64_t)value, __ATOMIC_SEQ_CST);
}

// Returns the old value.
static inline uint64_t fault_take(uint64_t *numbers, int index) {
    return __atomic_exchange_n(numbers + index, 0, __ATOMIC_SEQ_CST);
}

#endif
