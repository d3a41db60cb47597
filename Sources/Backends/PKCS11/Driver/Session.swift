// A session, which one thread at a time uses, and the calls that are about sessions and objects.

import CP11Kit
import PosternProtocol

/// An open session.
struct Session: Sendable {
    let functions: Functions
    let handle: CK_SESSION_HANDLE
    let ticket: CallTicket

    /// Opens one, to read from the token and use its keys, or to make objects as well.
    static func open(
        _ functions: Functions, slot: CK_SLOT_ID, forWriting: Bool = false, _ ticket: CallTicket
    ) throws(PKCS11Error) -> Session {
        var handle: CK_SESSION_HANDLE = 0
        let flags = CK_FLAGS(CKF_SERIAL_SESSION) | (forWriting ? CK_FLAGS(CKF_RW_SESSION) : 0)
        try ticket.call(.openSession) {
            unsafe functions.list.pointee.C_OpenSession(slot, flags, nil, nil, &handle)
        }
        return Session(functions: functions, handle: handle, ticket: ticket)
    }

    /// Has the session closed when the work on it is done, since a call on it was refused.
    func spoil() { ticket.isSpoiled = true }

    func close() throws(PKCS11Error) {
        try ticket.call(.closeSession) { unsafe functions.list.pointee.C_CloseSession(handle) }
    }

    /// Whether the user is logged in, for this session and so for all of the application's on this token.
    func isLoggedIn() throws(PKCS11Error) -> Bool {
        var info = CK_SESSION_INFO()
        try ticket.call(.getSessionInfo) { unsafe functions.list.pointee.C_GetSessionInfo(handle, &info) }
        return info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS
    }

    /// Logs the user in. That somebody of this process has done so already is as good.
    /// - Parameter pin: the PIN; nil for a token that has a way of its own to ask for it.
    func login(_ pin: SecretBytes?) throws(PKCS11Error) {
        do throws(PKCS11Error) {
            guard let pin else {
                try ticket.call(.login) {
                    unsafe functions.list.pointee.C_Login(handle, CK_USER_TYPE(CKU_USER), nil, 0)
                }
                return
            }
            try unsafe pin.withUnsafeBytes { (bytes) throws(PKCS11Error) in
                let text = unsafe UnsafeMutablePointer(mutating: bytes.assumingMemoryBound(to: UInt8.self).baseAddress)
                try ticket.call(.login) {
                    unsafe functions.list.pointee.C_Login(handle, CK_USER_TYPE(CKU_USER), text, UInt(bytes.count))
                }
            }
        } catch {
            guard error.value.rawValue == CKR_USER_ALREADY_LOGGED_IN else { throw error }
        }
    }

    /// The objects that have all of some attributes, at most as many as asked for.
    func find(_ template: Template, limit: Int) throws(PKCS11Error) -> [CK_OBJECT_HANDLE] {
        try unsafe template.withAttributes { (attributes, count) throws(PKCS11Error) in
            try ticket.call(.findObjectsInit) {
                unsafe functions.list.pointee.C_FindObjectsInit(handle, attributes, count)
            }
        }
        var found: [CK_OBJECT_HANDLE] = []
        while found.count < limit {
            var handles = [CK_OBJECT_HANDLE](repeating: 0, count: limit - found.count)
            var count: CK_ULONG = 0
            try ticket.call(.findObjects) {
                unsafe functions.list.pointee.C_FindObjects(handle, &handles, CK_ULONG(handles.count), &count)
            }
            guard count > 0 else { break }
            found += handles.prefix(Int(count))
        }
        try ticket.call(.findObjectsFinal) { unsafe functions.list.pointee.C_FindObjectsFinal(handle) }
        return found
    }

    /// An attribute of an object.
    func attribute(_ type: UInt, of object: CK_OBJECT_HANDLE) throws(PKCS11Error) -> [UInt8] {
        var attribute = unsafe CK_ATTRIBUTE(type: type, pValue: nil, ulValueLen: 0)
        try ticket.call(.getAttributeValue) {
            unsafe functions.list.pointee.C_GetAttributeValue(handle, object, &attribute, 1)
        }
        guard unsafe attribute.ulValueLen != UInt.max else {
            throw PKCS11Error(.getAttributeValue, ReturnValue(rawValue: CKR_ATTRIBUTE_TYPE_INVALID))
        }
        var value = unsafe [UInt8](repeating: 0, count: Int(attribute.ulValueLen))
        guard !value.isEmpty else { return [] }
        try unsafe value.withUnsafeMutableBufferPointer { (bytes) throws(PKCS11Error) in
            unsafe attribute.pValue = UnsafeMutableRawPointer(bytes.baseAddress)
            try ticket.call(.getAttributeValue) {
                unsafe functions.list.pointee.C_GetAttributeValue(handle, object, &attribute, 1)
            }
        }
        return unsafe Array(value.prefix(Int(attribute.ulValueLen)))
    }

    /// An attribute of an object that is to be kept secret.
    /// - Parameter capacity: the most bytes that it may have.
    func secret(_ type: UInt, of object: CK_OBJECT_HANDLE, capacity: Int) throws(PKCS11Error) -> SecretBytes {
        try unsafe SecretBytes(capacity: capacity) { (bytes) throws(PKCS11Error) in
            var attribute = unsafe CK_ATTRIBUTE(
                type: type, pValue: bytes.baseAddress, ulValueLen: UInt(bytes.count))
            try ticket.call(.getAttributeValue) {
                unsafe functions.list.pointee.C_GetAttributeValue(handle, object, &attribute, 1)
            }
            return unsafe min(Int(clamping: attribute.ulValueLen), bytes.count)
        }
    }

    /// A number among the attributes of an object.
    func number(_ type: UInt, of object: CK_OBJECT_HANDLE) throws(PKCS11Error) -> UInt {
        let bytes = try attribute(type, of: object)
        guard bytes.count == MemoryLayout<UInt>.size else {
            throw PKCS11Error(.getAttributeValue, ReturnValue(rawValue: CKR_ATTRIBUTE_VALUE_INVALID))
        }
        return unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: UInt.self) }
    }

    /// Makes an object.
    func create(_ template: Template) throws(PKCS11Error) -> CK_OBJECT_HANDLE {
        try unsafe template.withAttributes { (attributes, count) throws(PKCS11Error) in
            var object: CK_OBJECT_HANDLE = 0
            try ticket.call(.createObject) {
                unsafe functions.list.pointee.C_CreateObject(handle, attributes, count, &object)
            }
            return object
        }
    }

    /// Removes an object.
    func destroy(_ object: CK_OBJECT_HANDLE) throws(PKCS11Error) {
        try ticket.call(.destroyObject) { unsafe functions.list.pointee.C_DestroyObject(handle, object) }
    }
}
