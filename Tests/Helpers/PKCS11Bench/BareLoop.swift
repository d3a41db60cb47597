// The same work as plain calls on one session and one thread: what the token itself can do.

import CP11Kit
import Foundation

struct BareLoop {
    private let list: CK_FUNCTION_LIST_PTR
    private var session: CK_SESSION_HANDLE = 0
    private var key: CK_OBJECT_HANDLE = 0

    /// Opens a session beside those of the pool, whose login counts for it too.
    init(module: String) throws {
        guard let list = p11_kit_module_load(module, Int32(P11_KIT_MODULE_UNMANAGED)) else {
            throw BenchError("the module cannot be loaded")
        }
        self.list = list
        var slots = [CK_SLOT_ID](repeating: 0, count: 16)
        var count: CK_ULONG = 16
        try check(list.pointee.C_GetSlotList(CK_BBOOL(CK_TRUE), &slots, &count), "C_GetSlotList")
        for slot in slots.prefix(Int(count)) where key == 0 {
            try check(
                list.pointee.C_OpenSession(slot, CK_FLAGS(CKF_SERIAL_SESSION), nil, nil, &session), "C_OpenSession")
            try check(list.pointee.C_FindObjectsInit(session, nil, 0), "C_FindObjectsInit")
            var found: CK_ULONG = 0
            try check(list.pointee.C_FindObjects(session, &key, 1, &found), "C_FindObjects")
            try check(list.pointee.C_FindObjectsFinal(session), "C_FindObjectsFinal")
        }
    }

    /// - Returns: wraps with unwraps per second.
    func run(seconds: Double) throws -> Double {
        // SoftHSM wants room for the tag too when it decrypts.
        var plain = [UInt8](0..<48)
        var sealed = [UInt8](repeating: 0, count: 48)
        var iv = [UInt8](repeating: 7, count: 12)
        var associated = [UInt8](repeating: 1, count: 40)
        let start = ContinuousClock.now
        let end = start.advanced(by: .seconds(seconds))
        var done = 0
        while ContinuousClock.now < end {
            for index in iv.indices { iv[index] = .random(in: 0...255) }
            try iv.withUnsafeMutableBufferPointer { iv in
                try associated.withUnsafeMutableBufferPointer { associated in
                    var parameters = CK_GCM_PARAMS(
                        pIv: iv.baseAddress, ulIvLen: 12, ulIvBits: 96, pAAD: associated.baseAddress,
                        ulAADLen: UInt(associated.count), ulTagBits: 128)
                    try withUnsafeMutablePointer(to: &parameters) { parameters in
                        var mechanism = CK_MECHANISM(
                            mechanism: UInt(CKM_AES_GCM), pParameter: parameters,
                            ulParameterLen: UInt(MemoryLayout<CK_GCM_PARAMS>.size))
                        var sealedCount: CK_ULONG = 48
                        var plainCount: CK_ULONG = 48
                        try check(list.pointee.C_EncryptInit(session, &mechanism, key), "C_EncryptInit")
                        try check(list.pointee.C_Encrypt(session, &plain, 32, &sealed, &sealedCount), "C_Encrypt")
                        try check(list.pointee.C_DecryptInit(session, &mechanism, key), "C_DecryptInit")
                        try check(list.pointee.C_Decrypt(session, &sealed, 48, &plain, &plainCount), "C_Decrypt")
                    }
                }
            }
            done += 1
        }
        return Double(done) / (start.duration(to: .now) / .seconds(1))
    }

    private func check(_ answer: CK_RV, _ what: String) throws {
        guard answer == CKR_OK else { throw BenchError("\(what) answered \(answer)") }
    }
}
