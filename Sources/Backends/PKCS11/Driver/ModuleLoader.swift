// Opens a module's library through p11-kit, and starts and stops what is in it.

import CP11Kit
import Glibc
import PosternProtocol

/// Loads a module, and calls its `C_Initialize` and `C_Finalize` as its location asks.
struct ModuleLoader: Sendable {
    let location: PKCS11ModuleLocation

    /// Opens the library. It is never closed again: many cannot stand that.
    /// - Throws: `key_unavailable` if that fails, or the library lacks functions.
    func load(_ ticket: CallTicket) throws(SecretError) -> Functions {
        let list: CK_FUNCTION_LIST_PTR?
        switch location.name {
        case .path(let path): unsafe list = open(path, ticket)
        case .configured(let name): unsafe list = try find(name, ticket)
        }
        guard let list = unsafe list else {
            let reason = unsafe p11_kit_message().map { unsafe String(cString: $0) } ?? "it is not a PKCS#11 module"
            throw SecretError(.keyUnavailable, "The PKCS#11 module \(location) cannot be loaded: \(reason).")
        }
        do throws(MissingFunctions) {
            return try unsafe Functions(list)
        } catch {
            throw SecretError(
                .keyUnavailable,
                "The PKCS#11 module \(location) lacks \(error.names.joined(separator: ", ")); it cannot be used.")
        }
    }

    private func open(_ path: String, _ ticket: CallTicket) -> CK_FUNCTION_LIST_PTR? {
        unsafe ticket.watch(.load) { unsafe p11_kit_module_load(path, flags) }
    }

    private func find(_ name: String, _ ticket: CallTicket) throws(SecretError) -> CK_FUNCTION_LIST_PTR? {
        guard let modules = unsafe ticket.watch(.load, { unsafe p11_kit_modules_load(nil, flags) }) else {
            throw SecretError(.keyUnavailable, "p11-kit's configuration of modules cannot be read.")
        }
        // The list stays, since releasing it would unload the one that was asked for.
        guard let list = unsafe p11_kit_module_for_name(modules, name) else {
            throw SecretError(
                .keyUnavailable, "p11-kit's configuration has no module named \(name); see `p11-kit list-modules`.")
        }
        return unsafe list
    }

    private var flags: Int32 { location.isManaged ? 0 : Int32(P11_KIT_MODULE_UNMANAGED) }

    /// Starts the module, declared to be called from several threads.
    /// - Returns: whether it was this call that did, so that this process's owner may stop it again.
    /// - Throws: what it answered.
    func initialize(_ functions: Functions, _ ticket: CallTicket) throws(PKCS11Error) -> Bool {
        do throws(PKCS11Error) {
            if location.isManaged {
                try ticket.call(.initialize) { unsafe p11_kit_module_initialize(functions.list) }
            } else {
                try ticket.call(.initialize) { Self.initialize(functions, location.initArguments) }
            }
            return true
        } catch {
            guard error.value.rawValue == CKR_CRYPTOKI_ALREADY_INITIALIZED else { throw error }
            return false
        }
    }

    /// Stops the module.
    func finalize(_ functions: Functions, _ ticket: CallTicket) throws(PKCS11Error) {
        try ticket.call(.finalize) {
            location.isManaged
                ? unsafe p11_kit_module_finalize(functions.list) : unsafe functions.list.pointee.C_Finalize(nil)
        }
    }

    private static func initialize(_ functions: Functions, _ arguments: String?) -> CK_RV {
        // NSS reads one more pointer than the specification's structure has.
        unsafe withUnsafeTemporaryAllocation(
            byteCount: MemoryLayout<CK_C_INITIALIZE_ARGS>.size + MemoryLayout<UInt>.size,
            alignment: MemoryLayout<CK_C_INITIALIZE_ARGS>.alignment
        ) { memory in
            unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
            guard let base = memory.baseAddress else { return CKR_HOST_MEMORY }
            let settings = unsafe base.bindMemory(to: CK_C_INITIALIZE_ARGS.self, capacity: 1)
            unsafe settings.pointee.flags = CK_FLAGS(CKF_OS_LOCKING_OK)
            guard let arguments else { return unsafe functions.list.pointee.C_Initialize(base) }
            // Some modules keep the pointer, so the text stays for the life of the process.
            unsafe settings.pointee.pReserved = UnsafeMutableRawPointer(strdup(arguments))
            return unsafe functions.list.pointee.C_Initialize(base)
        }
    }
}
