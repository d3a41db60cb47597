// The functions of a loaded module.

import CP11Kit

/// A module's function list, checked to be whole.
///
/// `@unchecked Sendable`: the list is the module's own, never written, and stays for the life of the process, since
/// modules are never unloaded.
@safe
struct Functions: @unchecked Sendable {
    let list: CK_FUNCTION_LIST_PTR

    /// Checks once that no function is missing, since calling a null pointer would be the end.
    /// - Throws: the names of those that are, as an answer for the operator.
    init(_ list: CK_FUNCTION_LIST_PTR) throws(MissingFunctions) {
        unsafe self.list = list
        let all = unsafe list.pointee
        let present: [(CryptokiFunction, Bool)] = unsafe [
            (.initialize, all.C_Initialize != nil), (.finalize, all.C_Finalize != nil),
            (.getInfo, all.C_GetInfo != nil), (.getSlotList, all.C_GetSlotList != nil),
            (.getSlotInfo, all.C_GetSlotInfo != nil), (.getTokenInfo, all.C_GetTokenInfo != nil),
            (.getMechanismInfo, all.C_GetMechanismInfo != nil), (.openSession, all.C_OpenSession != nil),
            (.closeSession, all.C_CloseSession != nil), (.getSessionInfo, all.C_GetSessionInfo != nil),
            (.login, all.C_Login != nil), (.createObject, all.C_CreateObject != nil),
            (.destroyObject, all.C_DestroyObject != nil), (.getAttributeValue, all.C_GetAttributeValue != nil),
            (.findObjectsInit, all.C_FindObjectsInit != nil), (.findObjects, all.C_FindObjects != nil),
            (.findObjectsFinal, all.C_FindObjectsFinal != nil), (.encryptInit, all.C_EncryptInit != nil),
            (.encrypt, all.C_Encrypt != nil), (.decryptInit, all.C_DecryptInit != nil),
            (.decrypt, all.C_Decrypt != nil), (.signInit, all.C_SignInit != nil), (.sign, all.C_Sign != nil),
            (.generateKey, all.C_GenerateKey != nil), (.generateKeyPair, all.C_GenerateKeyPair != nil),
            (.wrapKey, all.C_WrapKey != nil), (.unwrapKey, all.C_UnwrapKey != nil),
        ]
        let missing = present.filter { !$0.1 }.map(\.0.rawValue)
        guard missing.isEmpty else { throw MissingFunctions(names: missing) }
    }
}

/// Functions that a module's list does not have.
struct MissingFunctions: Error {
    let names: [String]
}
