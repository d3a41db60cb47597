// Which return value is of which class (OASIS PKCS #11 v2.40 §5.1).

import CP11Kit

extension PKCS11Error {
    /// What kind of recovery the error calls for.
    var errorClass: ErrorClass {
        switch value.rawValue {
        case CKR_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID, CKR_WRAPPING_KEY_HANDLE_INVALID, CKR_KEY_CHANGED,
            Values.unwrappingKeyHandleInvalid:
            .key
        // A session that is short of memory, or has an operation left over, is replaced like one that is gone.
        case CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED, CKR_SESSION_COUNT, CKR_OPERATION_ACTIVE,
            CKR_OPERATION_NOT_INITIALIZED, CKR_DEVICE_MEMORY, CKR_FUNCTION_CANCELED, CKR_CANCEL:
            .session
        case CKR_USER_NOT_LOGGED_IN, CKR_USER_PIN_NOT_INITIALIZED, CKR_USER_ANOTHER_ALREADY_LOGGED_IN,
            CKR_USER_TOO_MANY_TYPES, CKR_USER_TYPE_INVALID, CKR_PIN_INCORRECT, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE,
            CKR_PIN_EXPIRED, CKR_PIN_LOCKED, CKR_PIN_TOO_WEAK, CKR_NEW_PIN_MODE, CKR_FUNCTION_REJECTED:
            .login
        case CKR_DEVICE_REMOVED, CKR_TOKEN_NOT_PRESENT, CKR_TOKEN_NOT_RECOGNIZED, CKR_SLOT_ID_INVALID:
            .token
        case CKR_CRYPTOKI_NOT_INITIALIZED, CKR_CRYPTOKI_ALREADY_INITIALIZED, CKR_DEVICE_ERROR, CKR_GENERAL_ERROR,
            CKR_FUNCTION_FAILED, CKR_HOST_MEMORY, CKR_CANT_LOCK, CKR_NEED_TO_CREATE_THREADS, CKR_MUTEX_BAD,
            CKR_MUTEX_NOT_LOCKED, CKR_RANDOM_NO_RNG, CKR_FIPS_SELF_TEST_FAILED, CKR_LIBRARY_LOAD_FAILED:
            .library
        default:
            .caller
        }
    }

    /// Whether the token refused the PIN: it must not see the same one again, or it locks itself.
    var isRefusedPIN: Bool {
        guard function == .login else { return false }
        return switch value.rawValue {
        case CKR_PIN_INCORRECT, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE, CKR_PIN_EXPIRED, CKR_PIN_LOCKED,
            CKR_PIN_TOO_WEAK, CKR_FUNCTION_REJECTED:
            true
        default: false
        }
    }

    /// Whether the session that the call was made on is gone, so that its handle must not be used any more.
    var isAboutLostSession: Bool {
        switch value.rawValue {
        case CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED, CKR_CRYPTOKI_NOT_INITIALIZED, CKR_DEVICE_REMOVED,
            CKR_TOKEN_NOT_PRESENT:
            true
        default: false
        }
    }

    /// Whether the token says that it has no room for one more session.
    var isSessionLimit: Bool {
        guard function == .openSession else { return false }
        return value.rawValue == CKR_SESSION_COUNT || value.rawValue == CKR_DEVICE_MEMORY
    }

    /// What a call that decrypts says of its input.
    enum InputVerdict {
        /// It does not open.
        case bad
        /// It may be the input, or the token: some tokens say of a wrong tag only that something failed.
        case unclear
        /// The error is about something else.
        case notAbout
    }

    /// Whether the error is about what was to be decrypted.
    var inputVerdict: InputVerdict {
        guard function == .decrypt || function == .unwrapKey else { return .notAbout }
        return switch value.rawValue {
        case CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_WRAPPED_KEY_INVALID,
            CKR_WRAPPED_KEY_LEN_RANGE, CKR_DATA_INVALID, CKR_DATA_LEN_RANGE, CKR_SIGNATURE_INVALID,
            Values.aeadDecryptFailed:
            .bad
        case CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED, CKR_DEVICE_ERROR, CKR_ARGUMENTS_BAD:
            .unclear
        default: .notAbout
        }
    }

    /// Whether the error says that this key on this token cannot be used in this way, so another way may do.
    var isUnsupported: Bool { errorClass == .caller }

    /// Values that p11-kit's header does not have.
    private enum Values {
        static let aeadDecryptFailed: UInt = 0x35
        static let unwrappingKeyHandleInvalid: UInt = 0xF0
    }
}
